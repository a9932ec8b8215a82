package syncjob

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/deliver"
	"github.com/millrace/millrace/internal/observe"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/syncjob/checkpoint"
	"github.com/millrace/millrace/internal/syncjob/evaluate"
)

// deliver sends what is frozen, one after the other, until all of it is delivered.
func (s *slice) deliver(ctx context.Context) error {
	for len(s.pending) > 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if s.r.now() >= s.until {
			return millrace.RetryAfter(0, nil)
		}
		p := s.pending[0]
		res, err := away(ctx, s.turn, func() (deliver.Result, error) {
			return s.r.cfg.Destination.Send(ctx, deliver.Request{
				EnvironmentID: s.run.EnvironmentID, WebhookID: p.WebhookID, DeliveryID: p.ID, Event: p.Event,
				Body: p.Body, Attempts: p.Attempts,
			})
		})
		if err != nil {
			return fmt.Errorf("send delivery: %w", err)
		}
		if err := s.record(ctx, p, res); err != nil {
			return err
		}
	}
	return nil
}

// record stores the outcome of a delivery.
func (s *slice) record(ctx context.Context, p *pending, res deliver.Result) error {
	switch res.Kind {
	case deliver.Delivered:
		return s.delivered(ctx, p, res)
	case deliver.Retry:
		if res.QuickRetry == 0 {
			return s.park(ctx, p, res)
		}
		if err := s.saveTries(ctx, p, res); err != nil {
			return err
		}
		return millrace.RetryAfter(res.QuickRetry, nil)
	case deliver.Cancel:
		return s.cancel(ctx, p, res)
	case deliver.Gone:
		return s.gone(ctx, p, res)
	case deliver.Interrupted:
		if len(res.Attempts) > 0 {
			if err := s.saveTries(ctx, p, res); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return millrace.RetryAfter(0, nil)
	}
	return fmt.Errorf("send delivery: unknown outcome %q", res.Kind)
}

// delivered moves the run past a delivery that is done. When it was the last of the run, the run is over.
func (s *slice) delivered(ctx context.Context, p *pending, res deliver.Result) error {
	if p.Event == millrace.EventRunRecord {
		s.stats.Of(p.Resource, p.Method).Persisted += p.Records
		s.r.cfg.Observe.Tell(ctx, observe.Fact{Kind: observe.Sent, N: p.Records})
	}
	next := *s.run
	next.ParkedSince = 0
	s.waits(&next)
	var err error
	if next.ResourceStats, err = json.Marshal(s.stats); err != nil {
		return fmt.Errorf("encode resource_stats: %w", err)
	}
	if s.point.Parks != 0 {
		s.point.Parks = 0
		if next.Checkpoint, err = json.Marshal(s.point); err != nil {
			return fmt.Errorf("encode checkpoint: %w", err)
		}
	}
	over := s.point.Final != nil && len(s.pending) == 1
	if over {
		s.applyFinal(&next)
	}
	done := *p
	done.Status, done.DeliveredAt = millrace.DeliveryDelivered, s.r.now()
	behind := func(ctx context.Context, tx *store.Tx) error {
		return recordAttempts(ctx, tx, &done, res)
	}
	if len(s.pending) == 1 && !over && s.behind == nil {
		// The next page is fetched now. If it comes at once, the two share a commit; else page catches up meanwhile.
		s.run, s.behind, s.pending = &next, behind, nil
		return nil
	}
	err = s.save(ctx, func(ctx context.Context, tx *store.Tx) (*millrace.SyncJobRun, error) {
		saved, err := s.saveRow(ctx, tx, next)
		if err != nil {
			return nil, err
		}
		if err := behind(ctx, tx); err != nil || !over {
			return saved, err
		}
		return saved, s.over(ctx, tx, saved)
	})
	if err != nil {
		return fmt.Errorf("save delivery: %w", err)
	}
	s.pending = s.pending[1:]
	if over {
		return errOver
	}
	return nil
}

// park stops the run until its webhook responds. It keeps what is frozen and fetches nothing.
func (s *slice) park(ctx context.Context, p *pending, res deliver.Result) error {
	now := s.r.now()
	schedule := s.r.cfg.ParkRetries
	pause := res.RetryAfter
	if pause <= 0 {
		pause = s.r.spread(schedule[min(s.point.Parks, int64(len(schedule)-1))])
	}
	s.point.Parks++
	next := *s.run
	if next.ParkedSince == 0 {
		next.ParkedSince = now
	}
	next.RetryAt = now.Add(pause)
	next.WaitReason = parkReason(p, res)
	var err error
	if next.Checkpoint, err = json.Marshal(s.point); err != nil {
		return fmt.Errorf("encode checkpoint: %w", err)
	}
	err = s.save(ctx, func(ctx context.Context, tx *store.Tx) (*millrace.SyncJobRun, error) {
		// Who changes a webhook wakes the runs that are parked on it, under the same lock.
		w, err := optional(tx.Webhooks().LockEndpoint(ctx, p.EnvironmentID, p.WebhookID))
		if err != nil {
			return nil, err
		}
		parked := next
		if w == nil && res.ChangedAt != 0 || w != nil && w.UpdatedAt != res.ChangedAt {
			parked.RetryAt = now // it was called as it no longer is
		}
		return s.progress(ctx, tx, parked, p, res)
	})
	if err != nil {
		return fmt.Errorf("park sync job run: %w", err)
	}
	return millrace.RetryAfter(max(until(s.run.RetryAt, s.r.now()), time.Millisecond), nil)
}

// parkReason says why a run waits for its webhook.
func parkReason(p *pending, res deliver.Result) string {
	switch {
	case len(res.Attempts) == 0:
		return fmt.Sprintf("the webhook %s is inactive", p.WebhookID)
	case res.Status != 0:
		return fmt.Sprintf("the webhook %s responds %d to %s", p.WebhookID, res.Status, p.Event)
	}
	return fmt.Sprintf("the webhook %s does not respond to %s: %s", p.WebhookID, p.Event, res.ErrorClass)
}

// cancel stops a run whose webhook does not want it.
func (s *slice) cancel(ctx context.Context, p *pending, res deliver.Result) error {
	reason, err := json.Marshal(millrace.RunError{
		Code: evaluate.CodeRefusedByWebhook, Message: fmt.Sprintf("the webhook %s responded with 400 to %s: it does not want the run", p.WebhookID, p.Event),
	})
	if err != nil {
		return fmt.Errorf("encode run error: %w", err)
	}
	next := *s.run
	s.point.Final = &checkpoint.Final{Status: millrace.RunStopped, FinishedAt: s.r.now(), Error: reason}
	s.applyFinal(&next)
	err = s.save(ctx, func(ctx context.Context, tx *store.Tx) (*millrace.SyncJobRun, error) {
		saved, err := s.progress(ctx, tx, next, p, res)
		if err != nil {
			return nil, err
		}
		if err := cancelPending(ctx, tx, saved); err != nil {
			return nil, err
		}
		return saved, s.over(ctx, tx, saved)
	})
	if err != nil {
		return fmt.Errorf("cancel sync job run: %w", err)
	}
	return errOver
}

// gone makes a run fail because a webhook of it will never respond. Deliveries to that webhook are cancelled.
func (s *slice) gone(ctx context.Context, p *pending, res deliver.Result) error {
	webhook := p.WebhookID
	if s.point.Failing == nil {
		s.point.Failing = &millrace.RunError{
			Code: evaluate.CodeWebhookGone, Message: fmt.Sprintf("the webhook %s was deleted, or has unsubscribed with 410", webhook), Resource: p.Resource,
		}
	}
	s.point.Gone = append(s.point.Gone, webhook)
	if s.point.First == nil {
		s.point.Fail(millrace.FirstError{RunError: *s.point.Failing, At: s.r.now()})
	}
	s.point.Settle()
	s.point.Stack, s.point.Parks, s.point.Final = nil, 0, nil
	var kept, dropped []*pending
	for _, q := range s.pending {
		if q.WebhookID == webhook {
			dropped = append(dropped, q)
		} else {
			kept = append(kept, q)
		}
	}
	next := *s.run
	next.ParkedSince = 0
	s.waits(&next)
	var err error
	if next.Checkpoint, err = json.Marshal(s.point); err != nil {
		return fmt.Errorf("encode checkpoint: %w", err)
	}
	err = s.save(ctx, func(ctx context.Context, tx *store.Tx) (*millrace.SyncJobRun, error) {
		saved, err := s.saveRow(ctx, tx, next)
		for _, q := range dropped {
			if err != nil {
				return nil, err
			}
			tried := deliver.Result{}
			if q == p {
				tried = res
			}
			cancelled := *q
			cancelled.Status = millrace.DeliveryCancelled
			err = recordAttempts(ctx, tx, &cancelled, tried)
		}
		return saved, err
	})
	if err != nil {
		return fmt.Errorf("drop deliveries: %w", err)
	}
	s.pending = kept
	return nil
}
