package syncjob

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/deliver"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/syncjob/checkpoint"
)

// saveTimeout bounds a transaction that is done although the slice must end: what was fetched or delivered is worth
// writing down.
const saveTimeout = 10 * time.Second

var (
	errSaveTimeout = errors.New("the database took too long")
	errAhead       = errors.New("a commit has failed, and what is in memory does not count any more")
)

// ledger is the run's row with its checkpoint, and the one way in which a slice writes them.
type ledger struct {
	db     database
	inline int // see checkpoint.MaxInline

	run    *millrace.SyncJobRun // to be stored with the next write
	stored millrace.RunStatus   // of the row
	point  *checkpoint.Point    // ahead of the stored one until the next freeze
	parts  map[int64]bool       // of the checkpoint that are stored
	behind write                // of the last response, not written yet; the run is ahead of its row by it
	ahead  bool                 // a commit has failed: nothing of this counts any more but what is stored
	moved  moved
}

// moved stores what follows from a change of the status of the row, with the write that changes it.
type moved func(context.Context, *store.Tx, *millrace.SyncJobRun) error

// save runs a transaction even if the slice must end. fn writes the run's row, which fences the whole of it, and returns it as
// it was written; what is behind is written with it. One that may end the run holds the line of its mutex_key, so that the next
// run starts with it.
//
// After a commit that failed, or may have, memory is ahead of the row: nothing is saved any more, and the next slice begins
// with what is stored.
func (l *ledger) save(ctx context.Context, fn func(context.Context, *store.Tx) (*millrace.SyncJobRun, error)) error {
	if l.ahead {
		return errAhead
	}
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), saveTimeout, errSaveTimeout)
	defer cancel()
	saved, err := store.Compute(ctx, l.db, func(tx *store.Tx) (*millrace.SyncJobRun, error) {
		if l.point.Final != nil {
			if err := tx.SyncJobRuns().LockMutex(ctx, l.run); err != nil {
				return nil, err
			}
		}
		if l.behind != nil {
			if err := l.behind(ctx, tx); err != nil {
				return nil, err
			}
		}
		saved, err := fn(ctx, tx)
		if err == nil && saved.Status != l.stored {
			err = l.moved(ctx, tx, saved)
		}
		return saved, err
	})
	if err != nil {
		l.ahead = true
		return err
	}
	l.run, l.stored, l.behind = saved, saved.Status, nil
	return nil
}

// write is a part of a transaction.
type write func(context.Context, *store.Tx) error

// catchUp writes what is behind, if anything is.
func (l *ledger) catchUp(ctx context.Context) error {
	if l.behind == nil || l.ahead {
		return nil
	}
	return l.save(ctx, func(ctx context.Context, tx *store.Tx) (*millrace.SyncJobRun, error) {
		return l.saveRow(ctx, tx, *l.run)
	})
}

// saveRow writes the row of the run, fenced, and returns it as it was written.
func (l *ledger) saveRow(ctx context.Context, tx *store.Tx, next millrace.SyncJobRun) (*millrace.SyncJobRun, error) {
	if l.stored == millrace.RunRunning && next.Status == millrace.RunRunning && next.ErrorCount == l.run.ErrorCount {
		return &next, tx.SyncJobRuns().SaveProgress(ctx, &next)
	}
	return &next, tx.SyncJobRuns().Save(ctx, &next)
}

// division is how a checkpoint changes what is kept beside it.
type division struct {
	fresh   map[int64][]byte
	used    map[int64]bool
	dropped []int64
}

// divide encodes the checkpoint of a run that has been worked on for so long into the row, and what is long of it into parts
// that are written once.
func (l *ledger) divide(next *millrace.SyncJobRun, worked time.Duration) (division, error) {
	l.point.Worked = worked
	var d division
	var err error
	if d.fresh, d.used, err = l.point.Spill(l.inline); err != nil {
		return d, err
	}
	for number := range l.parts {
		if !d.used[number] {
			d.dropped = append(d.dropped, number)
		}
	}
	if next.Checkpoint, err = json.Marshal(l.point); err != nil {
		return d, fmt.Errorf("encode checkpoint: %w", err)
	}
	return d, nil
}

func (d division) save(ctx context.Context, tx *store.Tx, run *millrace.SyncJobRun) error {
	if err := tx.Checkpoints().Add(ctx, run.EnvironmentID, run.ID, d.fresh); err != nil {
		return err
	}
	return tx.Checkpoints().DeleteParts(ctx, run.EnvironmentID, run.ID, d.dropped...)
}

// applyFinal makes the row what the run has become.
func (l *ledger) applyFinal(run *millrace.SyncJobRun) {
	run.Status, run.FinishedAt, run.Error = l.point.Final.Status, l.point.Final.FinishedAt, l.point.Final.Error
	run.RetryAt, run.ParkedSince, run.Checkpoint = 0, 0, nil
	run.WaitReason, run.WaitsForAccount = "", ""
	run.ErrorCount = l.point.Failed
	run.IsPartial = run.Status == millrace.RunCompleted && run.ErrorCount > 0
}

// progress writes the run's row, fenced, and what was tried for a delivery.
func (l *ledger) progress(ctx context.Context, tx *store.Tx, next millrace.SyncJobRun, p *pending, res deliver.Result) (*millrace.SyncJobRun, error) {
	saved, err := l.saveRow(ctx, tx, next)
	if err != nil {
		return nil, err
	}
	return saved, recordAttempts(ctx, tx, p, res)
}

// recordAttempts writes a delivery and what was tried for it.
func recordAttempts(ctx context.Context, tx *store.Tx, p *pending, res deliver.Result) error {
	d := millrace.TriedDelivery{Delivery: p.Delivery, Tries: make([]millrace.Attempt, len(res.Attempts))}
	for i, a := range res.Attempts {
		d.Attempts++
		a.DeliveryID, a.EnvironmentID, a.WebhookID, a.Number = d.ID, d.EnvironmentID, d.WebhookID, d.Attempts
		d.Tries[i] = a
	}
	return tx.Deliveries().Save(ctx, d)
}

// saveTries writes down what was tried for a delivery that is to be sent again soon.
func (l *ledger) saveTries(ctx context.Context, p *pending, res deliver.Result) error {
	err := l.save(ctx, func(ctx context.Context, tx *store.Tx) (*millrace.SyncJobRun, error) {
		return l.progress(ctx, tx, *l.run, p, res)
	})
	if err != nil {
		return fmt.Errorf("save attempts: %w", err)
	}
	return nil
}
