package store

import (
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/s2"

	"github.com/millrace/millrace"
)

// fenced turns "no row was changed" into an error of KindConflict: another slice or pump has taken over, or the row was
// finished meanwhile.
func fenced(n int64, err error, what, id string) error {
	if err != nil {
		return fmt.Errorf("save %s: %w", what, err)
	}
	if n == 0 {
		return millrace.Errorf(millrace.KindConflict, "%s %s was taken over or ended meanwhile", what, id)
	}
	return nil
}

// LockSyncJobRun returns a run and keeps others from changing it, and the line that it stands in, until the transaction
// ends.
func (tx *Tx) LockSyncJobRun(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobRunID) (*millrace.SyncJobRun, error) {
	seen, err := tx.SyncJobRun(ctx, env, id)
	if err != nil {
		return nil, err
	}
	if err := tx.LockMutex(ctx, seen); err != nil {
		return nil, err
	}
	return tx.db.tables.syncJobRun.get(ctx, tx, env, string(id), tx.db.dialect.forUpdate())
}

// UpdateSyncJobRun writes status, times and error of a run that was locked in the same transaction. When it has ended,
// the run that waits for it moves up.
func (tx *Tx) UpdateSyncJobRun(ctx context.Context, v *millrace.SyncJobRun) error {
	v.UpdatedAt = tx.Now()
	ahead := v.WaitingFor
	if v.Status.Finished() {
		v.WaitingFor = ""
	}
	n, err := tx.exec(ctx, `UPDATE sync_job_run SET status = $3, error = $4, started_at = $5, finished_at = $6, retry_at = $7, waiting_for = $8,
updated_at = $9 WHERE id = $1 AND environment_id = $2`, string(v.ID), string(v.EnvironmentID), string(v.Status), string(v.Error), int64(v.StartedAt),
		int64(v.FinishedAt), int64(v.RetryAt), string(v.WaitingFor), int64(v.UpdatedAt))
	if err := changed(n, err, "sync job run", string(v.ID)); err != nil {
		return err
	}
	if err := tx.leaveLine(ctx, v, ahead); err != nil {
		return err
	}
	return tx.leaveWorkflow(ctx, v)
}

// SyncJobRunOfStep returns the run that a step of a workflow run started, or nil.
func (tx *Tx) SyncJobRunOfStep(ctx context.Context, env millrace.EnvironmentID, run millrace.WorkflowRunID, step int64) (*millrace.SyncJobRun, error) {
	return tx.db.tables.syncJobRun.find(ctx, tx, "environment_id = $1 AND workflow_run_id = $2 AND workflow_run_id <> '' AND step_index = $3", string(env), string(run), step)
}

// LastCompletedRun returns the latest completed run of a job for an account, or nil.
func (tx *Tx) LastCompletedRun(ctx context.Context, env millrace.EnvironmentID, job millrace.SyncJobID, account millrace.IntegratedAccountID) (*millrace.SyncJobRun, error) {
	return tx.db.tables.syncJobRun.find(ctx, tx, "environment_id = $1 AND sync_job_id = $2 AND integrated_account_id = $3 AND status = 'completed' ORDER BY started_at DESC, id LIMIT 1",
		string(env), string(job), string(account))
}

// ClaimSyncJobRun takes over the progress of a run: it raises the epoch, so that whoever had it before cannot write
// any more. It returns nil when there is no such run.
func (tx *Tx) ClaimSyncJobRun(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobRunID) (*millrace.SyncJobRun, error) {
	of := []any{string(id), string(env)}
	if _, err := tx.exec(ctx, "UPDATE sync_job_run SET epoch = epoch + 1 WHERE id = $1 AND environment_id = $2", of...); err != nil {
		return nil, fmt.Errorf("claim sync job run: %w", err)
	}
	v, err := tx.db.tables.syncJobRun.find(ctx, tx, "id = $1 AND environment_id = $2", of...)
	if err != nil || v == nil {
		return nil, err
	}
	var packed []byte
	if _, err := tx.one(ctx, "SELECT checkpoint FROM sync_job_run WHERE id = $1 AND environment_id = $2", of, &packed); err != nil {
		return nil, fmt.Errorf("read checkpoint: %w", err)
	}
	if len(packed) > 0 {
		if v.Checkpoint, err = unpack(packed); err != nil {
			return nil, fmt.Errorf("read checkpoint: %w", err)
		}
	}
	return v, nil
}

// SaveSyncJobRun writes the progress of a claimed run. When it has ended with it, the run that waits for it starts. It
// returns an error of KindConflict when another slice has claimed it since or when it was finished meanwhile.
func (tx *Tx) SaveSyncJobRun(ctx context.Context, v *millrace.SyncJobRun) error {
	v.UpdatedAt = tx.Now()
	n, err := tx.exec(ctx, `UPDATE sync_job_run SET status = $3, resource_stats = $4, error = $5, retry_at = $6, parked_since = $7,
sequence = $8, checkpoint = $9, started_at = $10, finished_at = $11, updated_at = $12
WHERE id = $1 AND epoch = $2 AND environment_id = $13 AND status IN ('created', 'running', 'rate_limited')`,
		string(v.ID), v.Epoch, string(v.Status), string(v.ResourceStats), string(v.Error), int64(v.RetryAt), int64(v.ParkedSince),
		v.Sequence, tx.db.pack(v.Checkpoint), int64(v.StartedAt), int64(v.FinishedAt), int64(v.UpdatedAt), string(v.EnvironmentID))
	if err := fenced(n, err, "sync job run", string(v.ID)); err != nil {
		return err
	}
	if err := tx.leaveLine(ctx, v, ""); err != nil {
		return err
	}
	return tx.leaveWorkflow(ctx, v)
}

// SaveRunProgress is SaveSyncJobRun for a run that was running and still is. It leaves alone what stays the same then, and
// with it the index of open runs.
func (tx *Tx) SaveRunProgress(ctx context.Context, v *millrace.SyncJobRun) error {
	v.UpdatedAt = tx.Now()
	n, err := tx.exec(ctx, `UPDATE sync_job_run SET resource_stats = $3, retry_at = $4, parked_since = $5, sequence = $6, checkpoint = $7, updated_at = $8
WHERE id = $1 AND epoch = $2 AND environment_id = $9 AND status = 'running'`,
		string(v.ID), v.Epoch, string(v.ResourceStats), int64(v.RetryAt), int64(v.ParkedSince), v.Sequence, tx.db.pack(v.Checkpoint), int64(v.UpdatedAt), string(v.EnvironmentID))
	return fenced(n, err, "sync job run", string(v.ID))
}

// maxUnpacked bounds what a stored body may unpack to.
const maxUnpacked = 256 << 20

// packMin is the size from which compressing pays.
const packMin = 512

// How stored bytes are compressed; the first byte says it.
const (
	packedNot = iota
	packedFlate
	packedS2
)

// pack compresses bytes.
func (db *DB) pack(b []byte) []byte {
	switch {
	case len(b) == 0:
		return []byte{}
	case len(b) < packMin || s2.MaxEncodedLen(len(b)) < 0: // the second: too large for the format
		return append([]byte{packedNot}, b...)
	}
	room, _ := db.scratch.Get().(*[]byte)
	if room == nil {
		room = new([]byte)
	}
	defer db.scratch.Put(room)
	*room = s2.Encode((*room)[:cap(*room)], b)
	return append([]byte{packedS2}, *room...)
}

func unpack(b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, nil
	}
	switch b[0] {
	case packedNot:
		return b[1:], nil
	case packedFlate: // written by earlier versions
		return io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(b[1:])), maxUnpacked))
	case packedS2:
		n, err := s2.DecodedLen(b[1:])
		if err != nil || n > maxUnpacked {
			return nil, fmt.Errorf("stored bytes claim to be %d: %w", n, err)
		}
		out := make([]byte, n)
		touch(out)
		return s2.Decode(out, b[1:])
	}
	return nil, errors.New("stored body has an unknown form")
}

// touch makes the system provide memory before a call uses it that nothing can interrupt. For 14 MB that may take 100 ms, in which
// the collector would wait for that call, and everything else for the collector.
func touch(b []byte) {
	for i := 0; i < len(b); i += os.Getpagesize() {
		b[i] = 0
	}
}
