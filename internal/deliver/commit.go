package deliver

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

const commitTimeout = 5 * time.Second

// tried returns a delivery as it will be stored, with its last attempt; none when it was cancelled.
func tried(d millrace.Delivery, attempt *millrace.Attempt) millrace.TriedDelivery {
	if attempt == nil {
		return millrace.TriedDelivery{Delivery: d}
	}
	return millrace.TriedDelivery{Delivery: d, Tries: []millrace.Attempt{*attempt}}
}

// commit writes what was done. With end it also completes the task, and reports true, if there is nothing left to do.
// It does so even while the process is being stopped: what was sent should not be sent again.
func (s *slice) commit(ctx context.Context, end bool) (bool, error) {
	if err := s.settle(); err != nil {
		return false, err
	}
	if len(s.done) == 0 && !end {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	ended, err := store.Compute(ctx, s.pump.db, func(tx *store.Tx) (bool, error) {
		alarm, err := s.raise(ctx, tx)
		if err != nil {
			return false, err
		}
		if err := s.pump.write(ctx, tx, &s.webhook, s.done); err != nil {
			return false, err
		}
		if alarm != nil {
			if err := s.pump.health.tell(ctx, tx, &s.webhook, alarm); err != nil {
				return false, err
			}
		}
		if !end {
			return false, nil
		}
		return s.complete(ctx, tx)
	})
	if err != nil {
		return false, err // the slice ends: what it has in memory is ahead of the rows
	}
	s.done, s.alarm, s.since = nil, nil, s.pump.sender.clock()
	return ended, nil
}

// raise returns what the others are to hear, holding the locks that it takes to tell them; nil when there is nothing.
func (s *slice) raise(ctx context.Context, tx *store.Tx) (*alarm, error) {
	if s.alarm == nil {
		return nil, nil //nolint:nilnil // none is a valid result
	}
	current, err := s.alarm.lock(ctx, tx, &s.webhook)
	if err != nil || current == nil || current.NotifiedPercent >= s.alarm.percent {
		return nil, err
	}
	return s.alarm, nil
}

// write stores how far the webhook's backlog has come. The webhook is first of all: it is the fence, and takes the lock on its row.
func (p *Pump) write(ctx context.Context, tx *store.Tx, w *millrace.Webhook, done []millrace.TriedDelivery) error {
	changed, err := tx.Webhooks().SaveProgress(ctx, w)
	if err != nil {
		return err
	}
	if changed && w.IsActive {
		woken := *w
		forgetFailures(&woken)
		woken.FailingSince, woken.NotifiedPercent = 0, 0
		if _, err := tx.Webhooks().SaveProgress(ctx, &woken); err != nil {
			return err
		}
		done = dueNow(done, millrace.TimeOf(p.sender.clock()))
	}
	return tx.Deliveries().Save(ctx, done...)
}

// dueNow returns deliveries of which none waits for its next attempt. What has failed was sent to the webhook as it was before
// a client changed it.
func dueNow(done []millrace.TriedDelivery, now millrace.Time) []millrace.TriedDelivery {
	done = slices.Clone(done)
	for i := range done {
		done[i].NextAttemptAt = min(done[i].NextAttemptAt, now)
	}
	return done
}

// behind is a commit that is under way while the slice goes on.
type behind struct {
	deliveries map[millrace.DeliveryID]bool
	err        chan error
}

// has reports whether the outcome of a delivery is being committed.
func (b *behind) has(id millrace.DeliveryID) bool { return b != nil && b.deliveries[id] }

// size is how many deliveries are being committed.
func (b *behind) size() int {
	if b == nil {
		return 0
	}
	return len(b.deliveries)
}

// commitBehind commits what was done without waiting for it. There is one such commit at a time.
func (s *slice) commitBehind(ctx context.Context) error {
	if err := s.settle(); err != nil || len(s.done) == 0 {
		return err
	}
	pump, webhook, done := s.pump, s.webhook, s.done
	b := &behind{deliveries: map[millrace.DeliveryID]bool{}, err: make(chan error, 1)}
	for i := range done {
		b.deliveries[done[i].ID] = true
	}
	s.behind, s.done, s.since = b, nil, s.pump.sender.clock()
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
		defer cancel()
		b.err <- pump.db.Update(ctx, func(tx *store.Tx) error { return pump.write(ctx, tx, &webhook, done) })
	}()
	return nil
}

// settle waits for the commit that is under way.
func (s *slice) settle() error {
	if s.behind == nil {
		return nil
	}
	err := <-s.behind.err
	s.behind = nil
	return err
}

// complete finishes the task under the lock on the webhook's row, if the webhook is inactive or nothing is left to do now. A
// new task waits for deferred deliveries. A transaction that queues a delivery holds the same lock, finds that task and wakes it.
func (s *slice) complete(ctx context.Context, tx *store.Tx) (bool, error) {
	current, err := tx.Webhooks().Endpoint(ctx, s.webhook.EnvironmentID, s.webhook.ID)
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
	// The transaction that queues the next delivery compares these two to see whether a pump is at work. They differ
	// when deliveries at the end of the backlog were cancelled.
	progress.SentSequence = current.NextSequence
	if due == 0 {
		forgetFailures(&progress)
		if progress, err = forgetSince(ctx, tx, progress); err != nil {
			return false, err
		}
		return true, s.finish(ctx, tx, &progress)
	}
	if err := s.finish(ctx, tx, &progress); err != nil {
		return false, err
	}
	return true, tx.Enqueue(ctx, millrace.Task{
		Kind: millrace.TaskPump, Key: millrace.TaskKey(s.webhook.EnvironmentID, s.webhook.ID), At: due.Std(), Environment: s.webhook.EnvironmentID,
	})
}

// forgetSince ends the failure of a webhook for which nothing waits any more: no delivery would show that it responds again.
func forgetSince(ctx context.Context, tx *store.Tx, w millrace.Webhook) (millrace.Webhook, error) {
	if w.FailingSince == 0 {
		return w, nil
	}
	backlog, err := tx.Deliveries().CountBacklog(ctx, &w)
	if err == nil && backlog.ParkedRuns == 0 {
		w.FailingSince, w.NotifiedPercent = 0, 0
	}
	return w, err
}

// waitsUntil returns when there is something to send: 1 stands for now, 0 for never.
func waitsUntil(ctx context.Context, tx *store.Tx, w *millrace.Webhook) (millrace.Time, error) {
	behind := w.SentSequence
	if w.Ordering == millrace.OrderingStrict {
		behind = 0
	}
	left, err := tx.Deliveries().BacklogAfter(ctx, w, behind, 1)
	if err != nil || len(left) > 0 {
		return 1, err
	}
	deferred, err := tx.Deliveries().Deferred(ctx, w, math.MaxInt64, 1)
	if err != nil || len(deferred) == 0 {
		return 0, err
	}
	return deferred[0].NextAttemptAt, nil
}

// finish completes the task together with the progress.
func (s *slice) finish(ctx context.Context, tx *store.Tx, progress *millrace.Webhook) error {
	w := &s.webhook
	if progress.SentSequence != w.SentSequence || progress.Attempt != w.Attempt || progress.DeferredInRow != w.DeferredInRow ||
		progress.FailingSince != w.FailingSince {
		if _, err := tx.Webhooks().SaveProgress(ctx, progress); err != nil {
			return err
		}
	}
	return tx.Finish(ctx)
}
