package deliver

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

const (
	commitSize  = 32                     // deliveries that are loaded and committed together: a crash may repeat two times as many
	commitEvery = 200 * time.Millisecond // how long a pump goes without asking whether the webhook is still its own
)

// slice is some seconds of work on the backlog of one webhook that this process has claimed.
type slice struct {
	pump     *Pump
	webhook  millrace.Webhook // with the progress as it will be committed next
	until    time.Time
	begun    bool // an attempt was made
	slow     bool // an attempt took long
	gap      bool // of the deliveries that are being sent together, one at the front could not be passed
	done     []millrace.TriedDelivery
	behind   *behind   // what is being committed while the next deliveries are sent; nil: nothing
	since    time.Time // when the database last said that the webhook is ours
	deferred bool      // a delivery is deferred, or was when the slice began
	ahead    *ahead    // what comes next, as it was read while the last were sent; nil: nothing was
	alarm    *alarm    // emitted with the next commit; nil: none
}

// item is a delivery at the front of the backlog with what is sent.
type item struct {
	delivery millrace.Delivery
	content
}

// content is what is sent of an event; no body when there is no event left to make it from.
type content struct {
	body        []byte
	traceparent string
}

// run works until the backlog is empty (nil), or returns when to go on.
func (s *slice) run(ctx context.Context) error {
	defer func() { _ = s.settle() }() // of a slice that ends because of an error
	defer s.dropAhead()
	for {
		if ctx.Err() != nil {
			return s.yield(ctx, 0)
		}
		items, err := s.load(ctx)
		if err != nil {
			return err
		}
		// A full load means that there may be more, so there is no point in looking whether this was the end.
		full := len(items) >= s.size()
		s.readAhead(ctx, items)
		for len(items) > 0 {
			if !s.mayGoOn(ctx) {
				return s.yield(ctx, 0)
			}
			n, wait := s.allowed(min(s.atOnce(), len(items)))
			if wait > 0 {
				return s.yield(ctx, wait)
			}
			if s.digests(items) {
				n = len(items)
			}
			if stop, err := s.process(ctx, items[:n]); stop || err != nil {
				return err
			}
			items = items[n:]
		}
		if full && s.alarm == nil {
			if err := s.commitBehind(ctx); err != nil {
				return err
			}
			continue
		}
		ended, err := s.commit(ctx, !full)
		if ended || err != nil {
			return err
		}
	}
}

// atOnce returns how many attempts are made at a time.
func (s *slice) atOnce() int {
	if s.webhook.Ordering == millrace.OrderingStrict {
		return 1
	}
	return int(min(max(s.webhook.Concurrency, 1), commitSize))
}

// load returns the next deliveries, and takes over what clients have changed about the webhook. It returns none when
// the webhook was deleted or set inactive; commit finds out why.
func (s *slice) load(ctx context.Context) ([]item, error) {
	var items []item
	s.since = s.pump.sender.clock()
	err := s.pump.db.View(ctx, func(tx *store.Tx) error {
		items = nil
		w, err := tx.Webhooks().Endpoint(ctx, s.webhook.EnvironmentID, s.webhook.ID)
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
		s.webhook.Ordering, s.webhook.Concurrency = w.Ordering, w.Concurrency
		s.webhook.RateLimit, s.webhook.RatePeriod = w.RateLimit, w.RatePeriod
		s.webhook.UpdatedAt = w.UpdatedAt
		if s.behind == nil {
			s.webhook.FailingSince, s.webhook.NotifiedPercent = w.FailingSince, w.NotifiedPercent // runs send to the webhook, too
		}
		items, err = s.items(ctx, tx)
		return err
	})
	return items, err
}

// items returns the next deliveries with their bodies, without those whose outcome is being committed.
func (s *slice) items(ctx context.Context, tx *store.Tx) ([]item, error) {
	next, err := s.next(ctx, tx)
	if err != nil {
		return nil, err
	}
	next = slices.DeleteFunc(next, func(d millrace.Delivery) bool { return s.behind.has(d.ID) })
	next = next[:min(len(next), s.size())]
	bodies, err := s.bodies(ctx, tx, next)
	if err != nil {
		return nil, err
	}
	items := make([]item, len(next))
	for i, d := range next {
		items[i] = item{d, bodies[d.ID]}
	}
	return items, nil
}

// mayGoOn reports whether there is time for another attempt. The first of a slice has all the time there is.
func (s *slice) mayGoOn(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	return !s.begun || s.pump.sender.clock().Before(s.until) && s.pump.sender.fits(ctx, 0)
}

// process sends deliveries, all at a time, and takes note of the outcomes in the order of the backlog. It reports true
// when the slice ends with them; the error is then what Handle returns.
func (s *slice) process(ctx context.Context, items []item) (bool, error) {
	if s.digests(items) {
		return s.sendDigest(ctx, items)
	}
	messages := make([]*Message, len(items))
	for i, it := range items {
		if it.body != nil {
			messages[i] = &Message{
				ID: it.delivery.ID, Body: it.body, Event: it.delivery.Event, Attempt: it.delivery.Attempts + 1,
				Traceparent: it.traceparent,
			}
		}
	}
	outcomes, err := s.send(ctx, messages)
	if err != nil {
		return true, err
	}
	return s.noteAll(ctx, items, messages, outcomes)
}

// noteAll takes note of the outcomes of deliveries. It reports true when the slice ends with them.
func (s *slice) noteAll(ctx context.Context, items []item, messages []*Message, outcomes []Outcome) (bool, error) {
	s.gap = false
	stop := false
	for i, it := range items {
		var stops bool
		var err error
		if messages[i] == nil {
			err = s.drop(ctx, it.delivery)
		} else {
			stops, err = s.note(ctx, it.delivery, outcomes[i], outcomes[i].Attempt(*messages[i]))
		}
		if err != nil {
			return true, err
		}
		stop = stop || stops
	}
	if !stop {
		return false, nil
	}
	return true, s.yield(ctx, s.webhook.NotBefore.Std().Sub(s.pump.sender.clock()))
}

// note takes note of an outcome. It reports true when the slice ends with it.
func (s *slice) note(ctx context.Context, d millrace.Delivery, o Outcome, attempt millrace.Attempt) (bool, error) {
	s.slow = s.slow || o.Duration >= slowAttempt
	d.Attempts++
	switch o.Kind {
	case Interrupted:
		s.gap = true
		return true, nil
	case Delivered:
		d.Status, d.NextAttemptAt = millrace.DeliveryDelivered, 0
		d.DeliveredAt = millrace.TimeOf(s.pump.sender.clock())
		w := &s.webhook
		w.Attempt, w.DeferredInRow, w.NotBefore, w.FailingSince, w.NotifiedPercent = 0, 0, 0, 0, 0
		return false, s.advance(ctx, tried(d, &attempt))
	case Gone:
		s.gap = true
		s.done = append(s.done, tried(d, &attempt))
		s.judge(d, o)
		return true, nil
	case Retry, Cancel: // cancelling means something to a run only
	}
	return s.fail(ctx, d, o, &attempt)
}

// judge takes note of a failure of the webhook, which may become inactive by it.
func (s *slice) judge(d millrace.Delivery, o Outcome) {
	if a := s.pump.health.failed(&s.webhook, d.Event, o); a != nil {
		s.alarm = a
	}
}

// send makes the attempts. Meanwhile it commits what was done before, when they take long: a receiver that takes its
// time must not hold back the progress of those before it.
func (s *slice) send(ctx context.Context, messages []*Message) ([]Outcome, error) {
	webhook := s.webhook // commit changes the slice's
	outcomes := make([]Outcome, len(messages))
	s.begun = true
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	committed := make(chan error, 1)
	timer := time.AfterFunc(commitEvery-s.pump.sender.clock().Sub(s.since), func() {
		_, err := s.commit(ctx, false)
		if err != nil {
			cancel()
		}
		committed <- err
	})
	var others sync.WaitGroup
	for i, m := range messages {
		if m == nil {
			continue
		}
		m.Webhook = &webhook
		if i == len(messages)-1 {
			outcomes[i] = s.pump.sender.Send(ctx, *m)
		} else {
			others.Go(func() { outcomes[i] = s.pump.sender.Send(ctx, *m) })
		}
	}
	others.Wait()
	if timer.Stop() {
		return outcomes, nil
	}
	return outcomes, <-committed
}

// drop takes a delivery off the backlog whose event was removed by retention: there is nothing left to send.
func (s *slice) drop(ctx context.Context, d millrace.Delivery) error {
	s.pump.logger.LogAttrs(ctx, slog.LevelWarn, "delivery cancelled, its event is gone",
		slog.String("environment_id", string(d.EnvironmentID)),
		slog.String("webhook_id", string(d.WebhookID)),
		slog.String("delivery_id", string(d.ID)),
		slog.String("event_id", string(d.EventID)),
	)
	d.Status, d.NextAttemptAt = millrace.DeliveryCancelled, 0
	return s.advance(ctx, tried(d, nil))
}

// advance moves past a delivery, and commits when the last time was long ago: a process that was paused and has lost its
// webhook meanwhile sends one more delivery and finds out.
func (s *slice) advance(ctx context.Context, d millrace.TriedDelivery) error {
	if !s.gap {
		s.webhook.SentSequence = max(s.webhook.SentSequence, d.Sequence)
	}
	s.done = append(s.done, d)
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
	return millrace.RetryAfter(max(d, 0), nil)
}
