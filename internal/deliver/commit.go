package deliver

import (
	"context"
	"math"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

const commitTimeout = 5 * time.Second

// result is a delivery as it is to be written, with the attempt that made it so; none when it was cancelled.
type result struct {
	delivery millrace.Delivery
	attempt  *millrace.Attempt
}

// commit writes what was done. With end it also completes the task, and reports true, if there is nothing left to do.
// It does so even while the process is being stopped: what was sent should not be sent again.
func (s *slice) commit(ctx context.Context, end bool) (bool, error) {
	if len(s.done) == 0 && !end {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	ended := false
	err := s.pump.db.Update(ctx, func(tx *store.Tx) error {
		ended = false
		alarm, err := s.raise(ctx, tx)
		if err != nil {
			return err
		}
		// First of all: this is the fence, and it takes the lock on the webhook's row.
		if err := tx.SaveWebhookProgress(ctx, &s.webhook); err != nil {
			return err
		}
		for i := range s.done {
			if err := write(ctx, tx, &s.done[i]); err != nil {
				return err
			}
		}
		if alarm != nil {
			if err := s.pump.health.tell(ctx, tx, &s.webhook, alarm); err != nil {
				return err
			}
		}
		if !end {
			return nil
		}
		ended, err = s.complete(ctx, tx)
		return err
	})
	if err != nil {
		return false, err
	}
	s.done, s.alarm, s.since = nil, nil, s.pump.sender.clock()
	return ended, nil
}

// raise returns what the others are to hear, holding the locks that it takes to tell them; nil when there is nothing.
func (s *slice) raise(ctx context.Context, tx *store.Tx) (*alarm, error) {
	if s.alarm == nil {
		return nil, nil //nolint:nilnil // absence is an answer here
	}
	current, err := s.alarm.lock(ctx, tx, &s.webhook)
	if err != nil || current == nil || current.FailingTold >= s.alarm.percent {
		return nil, err
	}
	return s.alarm, nil
}

func write(ctx context.Context, tx *store.Tx, r *result) error {
	if r.attempt != nil {
		if err := tx.InsertAttempt(ctx, r.attempt); err != nil {
			return err
		}
	}
	return tx.UpdateDelivery(ctx, &r.delivery)
}

// complete finishes the task under the lock on the webhook's row, if the webhook is inactive or nothing is left to do now. A
// new task waits for what stands aside: whoever queues a delivery holds the same lock, finds that task and wakes it.
func (s *slice) complete(ctx context.Context, tx *store.Tx) (bool, error) {
	current, err := tx.Webhook(ctx, s.webhook.EnvironmentID, s.webhook.ID)
	if err != nil {
		return false, err
	}
	progress := s.webhook
	if !current.IsActive {
		forgetFailures(&progress)
		return true, s.finish(ctx, tx, &progress)
	}
	progress.Ordering = current.Ordering
	due, err := waitsUntil(ctx, tx, &progress)
	if err != nil || due != 0 && due <= millrace.TimeOf(s.pump.sender.clock()) {
		return false, err
	}
	// Whoever queues the next delivery compares these two to see whether a pump is at work. They differ when
	// deliveries at the end of the backlog were cancelled.
	progress.SentSequence = current.NextSequence
	if due == 0 {
		forgetFailures(&progress)
		if err := forgetSince(ctx, tx, &progress); err != nil {
			return false, err
		}
		return true, s.finish(ctx, tx, &progress)
	}
	if err := s.finish(ctx, tx, &progress); err != nil {
		return false, err
	}
	return true, tx.Enqueue(ctx, millrace.Task{Kind: millrace.TaskPump, Key: string(s.webhook.ID), At: due.Std()})
}

// forgetSince ends the failure of a webhook for which nothing waits any more: nobody would notice that it answers again.
func forgetSince(ctx context.Context, tx *store.Tx, w *millrace.Webhook) error {
	if w.FailingSince == 0 {
		return nil
	}
	backlog, err := tx.BacklogOf(ctx, w)
	if err == nil && backlog.ParkedRuns == 0 {
		w.FailingSince, w.FailingTold = 0, 0
	}
	return err
}

// waitsUntil returns when there is something to send: 1 stands for now, 0 for never.
func waitsUntil(ctx context.Context, tx *store.Tx, w *millrace.Webhook) (millrace.Time, error) {
	behind := w.SentSequence
	if w.Ordering == millrace.OrderingStrict {
		behind = 0
	}
	left, err := tx.BacklogAfter(ctx, w.ID, behind, 1)
	if err != nil || len(left) > 0 {
		return 1, err
	}
	aside, err := tx.StandingAside(ctx, w, math.MaxInt64, 1)
	if err != nil || len(aside) == 0 {
		return 0, err
	}
	return aside[0].NextAttemptAt, nil
}

// finish completes the task together with the progress.
func (s *slice) finish(ctx context.Context, tx *store.Tx, progress *millrace.Webhook) error {
	w := &s.webhook
	if progress.SentSequence != w.SentSequence || progress.Attempt != w.Attempt || progress.PutAside != w.PutAside ||
		progress.FailingSince != w.FailingSince {
		if err := tx.SaveWebhookProgress(ctx, progress); err != nil {
			return err
		}
	}
	return tx.Finish(ctx)
}
