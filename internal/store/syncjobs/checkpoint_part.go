package syncjobs

import (
	"context"
	"fmt"

	"github.com/millrace/millrace/internal/store/sqldb"

	"github.com/millrace/millrace"
)

// Checkpoints are the parts of the checkpoints of sync job runs.
type Checkpoints struct{ tx *sqldb.Tx }

// NewCheckpoints returns the handle of the parts of the checkpoints of sync job runs.
func NewCheckpoints(tx *sqldb.Tx) Checkpoints { return Checkpoints{tx} }

// Add writes parts of a run's checkpoint that are too large to be written again with each change of it.
// It must follow a fenced write of the run in the same transaction.
func (h Checkpoints) Add(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobRunID, parts map[int64][]byte) error {
	for number, body := range parts {
		_, err := h.tx.Exec(ctx, "INSERT INTO checkpoint_part (sync_job_run_id, environment_id, number, body) VALUES ($1, $2, $3, $4)",
			string(id), string(env), number, h.tx.Pack(body))
		if err != nil {
			return fmt.Errorf("write checkpoint part: %w", err)
		}
	}
	return nil
}

// Get returns the parts of a run's checkpoint by their numbers.
func (h Checkpoints) Get(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobRunID) (map[int64][]byte, error) {
	parts := map[int64][]byte{}
	err := h.tx.Each(ctx, "SELECT number, body FROM checkpoint_part WHERE sync_job_run_id = $1 AND environment_id = $2", []any{string(id), string(env)}, func(r sqldb.Rows) error {
		var number int64
		var packed []byte
		if err := r.Scan(&number, &packed); err != nil {
			return err
		}
		var err error
		parts[number], err = sqldb.Unpack(packed)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read checkpoint parts: %w", err)
	}
	return parts, nil
}

// DeleteParts removes parts of a run's checkpoint.
func (h Checkpoints) DeleteParts(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobRunID, numbers ...int64) error {
	for _, number := range numbers {
		if _, err := h.tx.Exec(ctx, "DELETE FROM checkpoint_part WHERE sync_job_run_id = $1 AND environment_id = $2 AND number = $3",
			string(id), string(env), number); err != nil {
			return fmt.Errorf("drop checkpoint part: %w", err)
		}
	}
	return nil
}

// Delete removes all parts of the checkpoint of a run that is over.
func (h Checkpoints) Delete(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobRunID) error {
	if _, err := h.tx.Exec(ctx, "DELETE FROM checkpoint_part WHERE sync_job_run_id = $1 AND environment_id = $2", string(id), string(env)); err != nil {
		return fmt.Errorf("drop checkpoint parts: %w", err)
	}
	return nil
}
