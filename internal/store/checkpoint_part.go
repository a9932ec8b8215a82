package store

import (
	"context"
	"fmt"

	"github.com/millrace/millrace"
)

// AddCheckpointParts writes parts of a run's checkpoint that are too large to be written again with each change of it.
// It must follow a fenced write of the run in the same transaction.
func (tx *Tx) AddCheckpointParts(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobRunID, parts map[int64][]byte) error {
	for number, body := range parts {
		_, err := tx.exec(ctx, "INSERT INTO checkpoint_part (sync_job_run_id, environment_id, number, body) VALUES ($1, $2, $3, $4)",
			string(id), string(env), number, tx.db.pack(body))
		if err != nil {
			return fmt.Errorf("write checkpoint part: %w", err)
		}
	}
	return nil
}

// CheckpointParts returns the parts of a run's checkpoint by their numbers.
func (tx *Tx) CheckpointParts(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobRunID) (map[int64][]byte, error) {
	parts := map[int64][]byte{}
	err := tx.each(ctx, "SELECT number, body FROM checkpoint_part WHERE sync_job_run_id = $1 AND environment_id = $2", []any{string(id), string(env)}, func(r rows) error {
		var number int64
		var packed []byte
		if err := r.Scan(&number, &packed); err != nil {
			return err
		}
		var err error
		parts[number], err = unpack(packed)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read checkpoint parts: %w", err)
	}
	return parts, nil
}

// DropCheckpointParts removes parts of a run's checkpoint.
func (tx *Tx) DropCheckpointParts(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobRunID, numbers ...int64) error {
	for _, number := range numbers {
		if _, err := tx.exec(ctx, "DELETE FROM checkpoint_part WHERE sync_job_run_id = $1 AND environment_id = $2 AND number = $3",
			string(id), string(env), number); err != nil {
			return fmt.Errorf("drop checkpoint part: %w", err)
		}
	}
	return nil
}

// DropCheckpoint removes all parts of the checkpoint of a run that is over.
func (tx *Tx) DropCheckpoint(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobRunID) error {
	if _, err := tx.exec(ctx, "DELETE FROM checkpoint_part WHERE sync_job_run_id = $1 AND environment_id = $2", string(id), string(env)); err != nil {
		return fmt.Errorf("drop checkpoint parts: %w", err)
	}
	return nil
}
