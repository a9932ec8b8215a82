package syncjob

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// saveTimeout bounds a transaction that is done although the slice must end: what was fetched or answered is worth
// writing down.
const saveTimeout = 10 * time.Second

var (
	errSaveTimeout = errors.New("the database took too long")
	errAhead       = errors.New("a commit has failed, and what is in memory does not count any more")
)

// change is what a freeze stores besides the checkpoint.
type change struct {
	out    []output
	counts stats
	lines  []*millrace.RunLog // of the log, that belong to no output
	status millrace.RunStatus // empty: running goes on
	emit   []string           // events for the other webhooks and for workflows
}

// save runs a transaction even if the slice must end. fn writes the run's row, which fences the whole of it, and returns it as
// it was written; what is behind is written with it. One that may end the run holds the line of its mutex_key, so that the next
// run starts with it.
//
// After a commit that failed, or may have, memory is ahead of the row: nothing is saved any more, and the next slice begins
// with what is stored.
func (s *slice) save(ctx context.Context, fn func(context.Context, *store.Tx) (*millrace.SyncJobRun, error)) error {
	if s.ahead {
		return errAhead
	}
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), saveTimeout, errSaveTimeout)
	defer cancel()
	saved, err := store.Compute(ctx, s.r.db, func(tx *store.Tx) (*millrace.SyncJobRun, error) {
		if s.point.Final != nil {
			if err := tx.LockMutex(ctx, s.run); err != nil {
				return nil, err
			}
		}
		if s.behind != nil {
			if err := s.behind(ctx, tx); err != nil {
				return nil, err
			}
		}
		return fn(ctx, tx)
	})
	if err != nil {
		s.ahead = true
		return err
	}
	s.run, s.stored, s.behind = saved, saved.Status, nil
	return nil
}

// write is a part of a transaction.
type write func(context.Context, *store.Tx) error

// catchUp writes what is behind, if anything is.
func (s *slice) catchUp(ctx context.Context) error {
	if s.behind == nil || s.ahead {
		return nil
	}
	return s.save(ctx, func(ctx context.Context, tx *store.Tx) (*millrace.SyncJobRun, error) {
		return s.saveRow(ctx, tx, *s.run)
	})
}

// saveRow writes the row of the run, fenced, and returns it as it was written.
func (s *slice) saveRow(ctx context.Context, tx *store.Tx, next millrace.SyncJobRun) (*millrace.SyncJobRun, error) {
	if s.stored == millrace.RunRunning && next.Status == millrace.RunRunning {
		return &next, tx.SaveRunProgress(ctx, &next)
	}
	return &next, tx.SaveSyncJobRun(ctx, &next)
}

// freeze makes what is to be sent, and the moved checkpoint, durable in one transaction. It returns errOver when the
// run has ended with it.
func (s *slice) freeze(ctx context.Context, ch change) error {
	next := *s.run
	frozen, err := s.prepare(&next, &ch)
	if err != nil {
		return err
	}
	s.complete(ch.lines)
	s.moveStatus(&next, ch)
	parts, err := s.divide(&next)
	if err != nil {
		return err
	}
	counted := s.stats.with(ch.counts)
	if next.ResourceStats, err = json.Marshal(counted); err != nil {
		return fmt.Errorf("encode resource_stats: %w", err)
	}
	over := s.point.Final != nil && len(frozen) == 0
	if over {
		s.applyFinal(&next)
	}
	err = s.save(ctx, func(ctx context.Context, tx *store.Tx) (*millrace.SyncJobRun, error) {
		saved, err := s.saveRow(ctx, tx, next)
		if err != nil {
			return nil, err
		}
		if err := s.saveBeside(ctx, tx, saved, parts, frozen, ch); err != nil || !over {
			return saved, err
		}
		return saved, s.over(ctx, tx, saved)
	})
	if err != nil {
		return fmt.Errorf("freeze: %w", err)
	}
	s.stats, s.changed, s.parts = counted, nil, parts.used
	s.pending = append(s.pending, frozen...)
	if over {
		return errOver
	}
	return nil
}

// saveBeside writes what belongs to a freeze besides the row of the run.
func (s *slice) saveBeside(ctx context.Context, tx *store.Tx, saved *millrace.SyncJobRun, parts division, frozen []*pending, ch change) error {
	if err := parts.save(ctx, tx, saved); err != nil {
		return err
	}
	if err := s.insertFrozen(ctx, tx, frozen); err != nil {
		return err
	}
	if err := tx.InsertRunLog(ctx, ch.lines); err != nil {
		return err
	}
	if err := s.saveState(ctx, tx); err != nil {
		return err
	}
	return s.emit(ctx, tx, saved, ch.emit)
}

// division is how a checkpoint changes what is kept beside it.
type division struct {
	fresh   map[int64][]byte
	used    map[int64]bool
	dropped []int64
}

// divide encodes the checkpoint into the row, and what is long of it into parts that are written once.
func (s *slice) divide(next *millrace.SyncJobRun) (division, error) {
	s.point.Worked = s.workedFor()
	var d division
	var err error
	if d.fresh, d.used, err = s.point.spill(s.r.inline); err != nil {
		return d, err
	}
	for number := range s.parts {
		if !d.used[number] {
			d.dropped = append(d.dropped, number)
		}
	}
	if next.Checkpoint, err = json.Marshal(s.point); err != nil {
		return d, fmt.Errorf("encode checkpoint: %w", err)
	}
	return d, nil
}

func (d division) save(ctx context.Context, tx *store.Tx, run *millrace.SyncJobRun) error {
	if err := tx.AddCheckpointParts(ctx, run.EnvironmentID, run.ID, d.fresh); err != nil {
		return err
	}
	return tx.DropCheckpointParts(ctx, run.EnvironmentID, run.ID, d.dropped...)
}

func (s *slice) insertFrozen(ctx context.Context, tx *store.Tx, frozen []*pending) error {
	for _, p := range frozen {
		if err := tx.FreezeDelivery(ctx, &p.FrozenDelivery); err != nil {
			return err
		}
		if p.event == nil {
			continue
		}
		event := *p.event // the transaction may run more than once
		if err := s.r.cfg.Emitter.EmitTx(ctx, tx, "", &event); err != nil {
			return err
		}
	}
	return nil
}

// moveStatus moves the row's status and times.
func (s *slice) moveStatus(next *millrace.SyncJobRun, ch change) {
	next.RetryAt = s.point.NotBefore
	switch {
	case ch.status != "":
		next.Status = ch.status
	case s.point.NotBefore == 0:
		next.Status = millrace.RunRunning
	}
}

// prepare numbers outputs and writes their bodies. Outputs that nobody wants, or can take, are left out. A record that
// is too large to be sent makes the run fail, behind what comes before it. What the log says is added to the change's
// lines.
func (s *slice) prepare(next *millrace.SyncJobRun, ch *change) ([]*pending, error) {
	var frozen []*pending
	for _, out := range ch.out {
		if !s.wanted(out) {
			ch.lines = append(ch.lines, untold(out)...)
			continue
		}
		some, tooLarge, err := s.number(next, out)
		if err != nil {
			return nil, err
		}
		frozen = append(frozen, some...)
		if out.line != nil && len(some) > 0 {
			out.line.DeliveryID, out.line.Event = some[0].ID, out.event
			ch.lines = append(ch.lines, out.line)
		}
		if tooLarge != nil && s.point.Failing == nil {
			s.failing(tooLarge.RunError)
			break
		}
	}
	return frozen, nil
}

// number makes the delivery of an output: more than one when its records are too large for one.
func (s *slice) number(next *millrace.SyncJobRun, out output) ([]*pending, *problem, error) {
	next.Sequence++
	now := s.r.now() + millrace.Time(next.Sequence-s.run.Sequence) // a microsecond apart, so that the log keeps their order
	p := &pending{FrozenDelivery: millrace.FrozenDelivery{Delivery: millrace.Delivery{
		ID: millrace.RunDeliveryID(next.EnvironmentID, next.ID, next.Sequence), EnvironmentID: next.EnvironmentID, WebhookID: out.webhook,
		SyncJobRunID: next.ID, IntegratedAccountID: next.IntegratedAccountID, RunSequence: next.Sequence, Event: out.event,
		Status: millrace.DeliveryPending, CreatedAt: now,
		Resource: out.resource, Method: out.method, Records: int64(len(out.records)),
	}}}
	whole, payload, err := body(next, p, out)
	if err != nil {
		return nil, nil, err
	}
	if len(whole) > s.r.cfg.MaxDelivery && out.event == millrace.EventRunRecord {
		next.Sequence--
		return s.halve(next, out, len(whole))
	}
	p.Body = whole
	if s.heard[out.event] {
		p.event = &millrace.Event{
			ID: millrace.NewID[millrace.EventID](), EnvironmentID: next.EnvironmentID, Name: out.event, Payload: payload,
			CreatedAt: now,
		}
		p.event.CausedBy(next)
	}
	return []*pending{p}, nil, nil
}

// halve makes two deliveries of an output that has size bytes.
func (s *slice) halve(next *millrace.SyncJobRun, out output, size int) ([]*pending, *problem, error) {
	middle := len(out.records) / 2
	if middle == 0 {
		return nil, limitAt(out.node, codeDelivery, "a delivery of one record has %d bytes; at most %d are allowed", size, s.r.cfg.MaxDelivery), nil
	}
	front, back := out, out
	front.records, back.records = out.records[:middle], out.records[middle:]
	frozen, tooLarge, err := s.number(next, front)
	if err != nil || tooLarge != nil {
		return frozen, tooLarge, err
	}
	more, tooLarge, err := s.number(next, back)
	return append(frozen, more...), tooLarge, err
}

// wanted reports whether an output is sent at all.
func (s *slice) wanted(out output) bool {
	if out.webhook == "" || s.point.isGone(out.webhook) {
		return false
	}
	return s.events == nil || s.events[out.event]
}

// applyFinal makes the row what the run has become.
func (s *slice) applyFinal(run *millrace.SyncJobRun) {
	run.Status, run.FinishedAt, run.Error = s.point.Final.Status, s.point.Final.FinishedAt, s.point.Final.Error
	run.RetryAt, run.ParkedSince, run.Checkpoint = 0, 0, nil
}

// over tells the others that the run has ended, and finishes the task.
func (s *slice) over(ctx context.Context, tx *store.Tx, run *millrace.SyncJobRun) error {
	if s.point.Parts > 0 {
		if err := tx.DropCheckpoint(ctx, run.EnvironmentID, run.ID); err != nil {
			return err
		}
	}
	name := millrace.EventRunCompleted
	switch run.Status {
	case millrace.RunFailed:
		name = millrace.EventRunFailed
	case millrace.RunStopped:
		name = millrace.EventRunUpdated
	case millrace.RunCompleted, millrace.RunCreated, millrace.RunRunning, millrace.RunRateLimited:
	}
	if err := s.emit(ctx, tx, run, []string{name}); err != nil {
		return err
	}
	return tx.Finish(ctx)
}

// emit tells workflows and the other webhooks what happened to the run.
func (s *slice) emit(ctx context.Context, tx *store.Tx, run *millrace.SyncJobRun, names []string) error {
	if len(names) == 0 {
		return nil
	}
	payload, err := s.runPayload(run)
	if err != nil {
		return err
	}
	events := make([]*millrace.Event, len(names))
	for i, name := range names {
		events[i] = &millrace.Event{
			ID: millrace.NewID[millrace.EventID](), EnvironmentID: run.EnvironmentID, Name: name, Payload: payload,
			CreatedAt: tx.Now(),
		}
		events[i].CausedBy(run)
	}
	return s.r.cfg.Emitter.EmitTx(ctx, tx, run.WebhookID, events...)
}
