package deliver

import (
	"context"
	"log/slog"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

const (
	commitSize  = 10                     // deliveries that are loaded and committed together: what a crash may repeat
	commitEvery = 200 * time.Millisecond // how long a pump goes without asking whether the webhook is still its own
)

// slice is some seconds of work on the backlog of one webhook that this process has claimed.
type slice struct {
	pump    *Pump
	webhook millrace.Webhook // with the progress as it will be committed next
	until   time.Time
	begun   bool // an attempt was made
	done    []result
	since   time.Time // when the database last said that the webhook is ours
}

// item is a delivery at the front of the backlog with its body; no body when there is no event left to make it from.
type item struct {
	delivery millrace.Delivery
	body     []byte
}

// run works until the backlog is empty (nil), or returns when to go on.
func (s *slice) run(ctx context.Context) error {
	for {
		if ctx.Err() != nil {
			return s.yield(ctx, 0)
		}
		items, err := s.load(ctx)
		if err != nil {
			return err
		}
		for _, it := range items {
			if !s.mayGoOn(ctx) {
				return s.yield(ctx, 0)
			}
			if stop, err := s.process(ctx, it); stop || err != nil {
				return err
			}
		}
		// A full load means that there may be more, so there is no point in looking whether this was the end.
		ended, err := s.commit(ctx, len(items) < commitSize)
		if ended || err != nil {
			return err
		}
	}
}

// load returns the next deliveries, and takes over what clients have changed about the webhook. It returns none when
// the webhook was deleted or set inactive; commit finds out why.
func (s *slice) load(ctx context.Context) ([]item, error) {
	var items []item
	s.since = s.pump.sender.clock()
	err := s.pump.db.View(ctx, func(tx *store.Tx) error {
		items = nil
		w, err := tx.Webhook(ctx, s.webhook.EnvironmentID, s.webhook.ID)
		if millrace.KindOf(err) == millrace.KindNotFound {
			return nil
		}
		if err != nil || !w.IsActive {
			return err
		}
		if w.Epoch != s.webhook.Epoch {
			return millrace.Errorf(millrace.KindConflict, "webhook %s was taken over", w.ID)
		}
		s.webhook.TargetURL, s.webhook.Secret, s.webhook.SignatureEncoding = w.TargetURL, w.Secret, w.SignatureEncoding
		s.webhook.PreviousSecret, s.webhook.PreviousExpiresAt = w.PreviousSecret, w.PreviousExpiresAt
		backlog, err := tx.Backlog(ctx, s.webhook.ID, commitSize)
		if err != nil {
			return err
		}
		for _, d := range backlog {
			e, err := tx.Event(ctx, d.EnvironmentID, d.EventID)
			switch {
			case err == nil:
				items = append(items, item{delivery: d, body: e.Body(d.WebhookID)})
			case millrace.KindOf(err) == millrace.KindNotFound:
				items = append(items, item{delivery: d})
			default:
				return err
			}
		}
		return nil
	})
	return items, err
}

// mayGoOn reports whether there is time for another attempt. The first of a slice has all the time there is.
func (s *slice) mayGoOn(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	return !s.begun || s.pump.sender.clock().Before(s.until) && s.pump.sender.fits(ctx, 0)
}

// process sends one delivery and takes note of the outcome. It reports true when the slice ends with it; the error is
// then what Handle returns.
func (s *slice) process(ctx context.Context, it item) (bool, error) {
	if it.body == nil {
		return false, s.drop(ctx, it.delivery)
	}
	s.begun = true
	m := Message{
		ID: it.delivery.ID, Webhook: &s.webhook, Body: it.body, Event: it.delivery.Event, Attempt: it.delivery.Attempts + 1,
	}
	o, err := s.send(ctx, m)
	if err != nil {
		return true, err
	}
	it.delivery.Attempts++
	attempt := o.Attempt(m)
	switch o.Kind {
	case Interrupted:
		return true, s.yield(ctx, 0)
	case Delivered:
		it.delivery.Status = millrace.DeliveryDelivered
		it.delivery.DeliveredAt = millrace.TimeOf(s.pump.sender.clock())
		s.webhook.Attempt, s.webhook.NotBefore, s.webhook.FailingSince = 0, 0, 0
		return false, s.advance(ctx, result{it.delivery, &attempt})
	case Gone:
		s.done = append(s.done, result{it.delivery, &attempt})
		s.pump.deactivate(ctx, &s.webhook, "the receiver answered 410")
		return true, s.yield(ctx, 0)
	case Retry, Cancel: // cancelling means something to a run only
	}
	s.done = append(s.done, result{it.delivery, &attempt})
	return true, s.yield(ctx, s.fail(ctx, o))
}

// send makes the attempt. Meanwhile it commits what was done before, when the attempt takes long: a receiver that takes
// its time must not hold back the progress of those before it.
func (s *slice) send(ctx context.Context, m Message) (Outcome, error) {
	if len(s.done) == 0 {
		return s.pump.sender.Send(ctx, m), nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	webhook := s.webhook // commit changes the slice's
	m.Webhook = &webhook
	sent := make(chan Outcome, 1)
	go func() { sent <- s.pump.sender.Send(ctx, m) }()
	timer := time.NewTimer(commitEvery - s.pump.sender.clock().Sub(s.since))
	defer timer.Stop()
	select {
	case o := <-sent:
		return o, nil
	case <-timer.C:
	}
	if _, err := s.commit(ctx, false); err != nil {
		cancel()
		<-sent
		return Outcome{}, err
	}
	return <-sent, nil
}

// fail returns how long to leave the receiver alone.
func (s *slice) fail(ctx context.Context, o Outcome) time.Duration {
	now := millrace.TimeOf(s.pump.sender.clock())
	w := &s.webhook
	w.Attempt++
	if w.FailingSince == 0 {
		w.FailingSince = now
	}
	if now >= w.FailingSince.Add(s.pump.prolonged) {
		s.pump.deactivate(ctx, w, "prolonged failure")
		return 0
	}
	d := s.pump.sender.pause(int(w.Attempt), o)
	w.NotBefore = now.Add(d)
	return d
}

// drop takes a delivery off the backlog whose event was removed by retention: there is nothing left to send.
func (s *slice) drop(ctx context.Context, d millrace.Delivery) error {
	s.pump.logger.LogAttrs(ctx, slog.LevelWarn, "delivery cancelled, its event is gone",
		slog.String("environment_id", string(d.EnvironmentID)),
		slog.String("webhook_id", string(d.WebhookID)),
		slog.String("delivery_id", string(d.ID)),
		slog.String("event_id", string(d.EventID)),
	)
	d.Status = millrace.DeliveryCancelled
	return s.advance(ctx, result{delivery: d})
}

// advance moves past a delivery, and commits when the last time was long ago: a process that was paused and has lost its
// webhook meanwhile sends one more delivery and finds out.
func (s *slice) advance(ctx context.Context, r result) error {
	s.webhook.SentSequence = r.delivery.Sequence
	s.done = append(s.done, r)
	if s.pump.sender.clock().Sub(s.since) < commitEvery {
		return nil
	}
	_, err := s.commit(ctx, false)
	return err
}

// yield commits and asks to go on after d, unless the webhook has been set inactive: then the task is completed.
func (s *slice) yield(ctx context.Context, d time.Duration) error {
	ended, err := s.commit(ctx, !s.webhook.IsActive)
	if ended || err != nil {
		return err
	}
	return millrace.RetryAfter(d, nil)
}
