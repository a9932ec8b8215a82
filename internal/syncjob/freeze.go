package syncjob

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/syncjob/evaluate"
)

// change is what a freeze stores besides the checkpoint.
type change struct {
	out    []evaluate.Output
	counts evaluate.Stats
	lines  []*millrace.RunLog // of the log, that belong to no output
	status millrace.RunStatus // empty: running goes on
	emit   []string           // events for the other webhooks and for workflows
}

// changeOf returns what an evaluation has brought, for a freeze.
func changeOf(e *evaluate.Evaluation) change {
	return change{out: e.Outputs, counts: e.Counts, lines: e.Lines}
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
	if next.FirstError, err = s.firstError(); err != nil {
		return err
	}
	parts, err := s.divide(&next, s.workedFor(s.r.now()))
	if err != nil {
		return err
	}
	counted := s.stats.With(ch.counts)
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
	if err := tx.SyncJobRuns().AddLog(ctx, ch.lines); err != nil {
		return err
	}
	if err := s.saveState(ctx, tx); err != nil {
		return err
	}
	return s.emit(ctx, tx, saved, ch.emit)
}

func (s *slice) insertFrozen(ctx context.Context, tx *store.Tx, frozen []*pending) error {
	for _, p := range frozen {
		if err := tx.Deliveries().Freeze(ctx, &p.FrozenDelivery); err != nil {
			return err
		}
		if p.event == nil {
			continue
		}
		e := *p.event // the transaction may run more than once
		if err := event.Emit(ctx, tx, &e); err != nil {
			return err
		}
	}
	return nil
}

// moveStatus moves the row's status and times.
func (s *slice) moveStatus(next *millrace.SyncJobRun, ch change) {
	s.waits(next)
	next.ErrorCount = s.point.Failed
	switch {
	case ch.status != "":
		next.Status = ch.status
	case s.point.NotBefore == 0:
		next.Status = millrace.RunRunning
	}
}

// prepare numbers outputs and writes their bodies. Outputs that no webhook wants, or can take, are left out. A record that
// is too large to be sent makes the run fail, behind what comes before it. What the log says is added to the change's
// lines.
func (s *slice) prepare(next *millrace.SyncJobRun, ch *change) ([]*pending, error) {
	var frozen []*pending
	for _, out := range ch.out {
		if !s.wants(out) || s.point.IsGone(out.Webhook) {
			ch.lines = append(ch.lines, unsent(out)...)
			continue
		}
		some, tooLarge, err := s.number(next, out)
		if err != nil {
			return nil, err
		}
		frozen = append(frozen, some...)
		if out.Line != nil && len(some) > 0 {
			out.Line.DeliveryID, out.Line.Event = some[0].ID, out.Event
			ch.lines = append(ch.lines, out.Line)
		}
		if tooLarge != nil && s.point.Failing == nil {
			s.failing(tooLarge.RunError)
			break
		}
	}
	return frozen, nil
}

// number makes the delivery of an output: more than one when its records are too large for one.
func (s *slice) number(next *millrace.SyncJobRun, out evaluate.Output) ([]*pending, *evaluate.Problem, error) {
	next.Sequence++
	now := s.r.now() + millrace.Time(next.Sequence-s.run.Sequence) // a microsecond apart, so that the log keeps their order
	p := &pending{FrozenDelivery: millrace.FrozenDelivery{Delivery: millrace.Delivery{
		ID: millrace.RunDeliveryID(next.EnvironmentID, next.ID, next.Sequence), EnvironmentID: next.EnvironmentID, WebhookID: out.Webhook,
		SyncJobRunID: next.ID, IntegratedAccountID: next.IntegratedAccountID, RunSequence: next.Sequence, Event: out.Event,
		Status: millrace.DeliveryPending, CreatedAt: now,
		Resource: out.Resource, Method: out.Method, Records: int64(len(out.Records)),
	}}}
	whole, payload, err := body(next, p, out)
	if err != nil {
		return nil, nil, err
	}
	if len(whole) > s.r.cfg.MaxDelivery && out.Event == millrace.EventRunRecord {
		next.Sequence--
		return s.halve(next, out, len(whole))
	}
	p.Body = whole
	if s.listened[out.Event] {
		p.event = &millrace.Event{
			ID: millrace.NewID[millrace.EventID](), EnvironmentID: next.EnvironmentID, Name: out.Event, Payload: payload,
			CreatedAt: now,
		}
		p.event.CausedBy(next)
	}
	return []*pending{p}, nil, nil
}

// halve makes two deliveries of an output that has size bytes.
func (s *slice) halve(next *millrace.SyncJobRun, out evaluate.Output, size int) ([]*pending, *evaluate.Problem, error) {
	middle := len(out.Records) / 2
	if middle == 0 {
		return nil, evaluate.LimitAt(out.Node, evaluate.CodeDelivery, "a delivery of one record has %d bytes; at most %d are allowed", size, s.r.cfg.MaxDelivery), nil
	}
	front, back := out, out
	front.Records, back.Records = out.Records[:middle], out.Records[middle:]
	frozen, tooLarge, err := s.number(next, front)
	if err != nil || tooLarge != nil {
		return frozen, tooLarge, err
	}
	more, tooLarge, err := s.number(next, back)
	return append(frozen, more...), tooLarge, err
}

// over tells the others that the run has ended, and finishes the task.
func (s *slice) over(ctx context.Context, tx *store.Tx, run *millrace.SyncJobRun) error {
	if s.point.Parts > 0 {
		if err := tx.Checkpoints().Delete(ctx, run.EnvironmentID, run.ID); err != nil {
			return err
		}
	}
	names := []string{millrace.EventRunCompleted}
	switch run.Status {
	case millrace.RunFailed:
		names[0] = millrace.EventRunFailed
	case millrace.RunStopped:
		names[0] = millrace.EventRunUpdated
	case millrace.RunCompleted:
		if run.IsPartial {
			names = append(names, millrace.EventRunPartial)
		}
	case millrace.RunCreated, millrace.RunRunning, millrace.RunRateLimited:
	}
	if err := s.emit(ctx, tx, run, names); err != nil {
		return err
	}
	return tx.Finish(ctx)
}

// updated tells those who listen that the run has another status. That it was stopped is always stored, see over.
func (s *slice) updated(ctx context.Context, tx *store.Tx, run *millrace.SyncJobRun) error {
	if !s.listened[millrace.EventRunUpdated] || run.Status == millrace.RunStopped {
		return nil
	}
	payload, err := s.runPayload(run)
	if err != nil {
		return err
	}
	e := &millrace.Event{
		ID: millrace.NewID[millrace.EventID](), EnvironmentID: run.EnvironmentID, Name: millrace.EventRunUpdated, Payload: payload, CreatedAt: tx.Now(),
	}
	e.CausedBy(run)
	return event.Emit(ctx, tx, e)
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
	return event.EmitExcept(ctx, tx, run.WebhookID, events...)
}
