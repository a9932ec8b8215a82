package deliver

import (
	"context"
	"maps"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// ahead is what follows the deliveries that are being sent, read meanwhile.
type ahead struct {
	after  int64 // the sequence number in front of it
	fresh  []millrace.Delivery
	bodies map[millrace.DeliveryID]content
	err    error
	done   chan struct{}
	cancel context.CancelFunc
}

// maxAhead bounds the bytes of deliveries while more are read.
const maxAhead = 1 << 20

// readAhead begins to read what follows these deliveries. Only what was not tried yet is read ahead: deferred
// deliveries and the settings of the webhook are read when they are needed.
func (s *slice) readAhead(ctx context.Context, items []item) {
	s.dropAhead()
	if s.webhook.Ordering == millrace.OrderingStrict || len(items) < commitSize {
		return
	}
	a, bytes := &ahead{after: s.webhook.SentSequence, done: make(chan struct{})}, 0
	for i := range items {
		a.after = max(a.after, items[i].delivery.Sequence)
		bytes += len(items[i].body)
	}
	if bytes > maxAhead {
		return
	}
	ctx, a.cancel = context.WithCancel(ctx)
	s.ahead = a
	w, db := &millrace.Webhook{ID: s.webhook.ID, EnvironmentID: s.webhook.EnvironmentID}, s.pump.db
	go func() {
		defer close(a.done)
		a.err = db.View(ctx, func(tx *store.Tx) error {
			var err error
			if a.fresh, err = tx.Deliveries().BacklogAfter(ctx, w, a.after, commitSize); err != nil {
				return err
			}
			a.bodies, err = bodiesOf(ctx, tx, w.EnvironmentID, a.fresh)
			return err
		})
	}()
}

// readFresh returns the first deliveries that were not tried yet.
func (s *slice) readFresh(ctx context.Context, tx *store.Tx) ([]millrace.Delivery, error) {
	if a := s.ahead; a != nil {
		if <-a.done; a.err == nil && a.after == s.webhook.SentSequence {
			return a.fresh, nil
		}
	}
	s.dropAhead()
	return tx.Deliveries().BacklogAfter(ctx, &s.webhook, s.webhook.SentSequence, commitSize)
}

// dropAhead forgets what was read ahead.
func (s *slice) dropAhead() {
	if s.ahead == nil {
		return
	}
	s.ahead.cancel()
	<-s.ahead.done
	s.ahead = nil
}

// bodies returns the bodies of deliveries.
func (s *slice) bodies(ctx context.Context, tx *store.Tx, deliveries []millrace.Delivery) (map[millrace.DeliveryID]content, error) {
	if s.ahead == nil {
		return bodiesOf(ctx, tx, s.webhook.EnvironmentID, deliveries)
	}
	var rest []millrace.Delivery
	for _, d := range deliveries {
		if _, known := s.ahead.bodies[d.ID]; !known {
			rest = append(rest, d)
		}
	}
	bodies, err := bodiesOf(ctx, tx, s.webhook.EnvironmentID, rest)
	maps.Copy(bodies, s.ahead.bodies)
	return bodies, err
}

// bodiesOf makes the bodies of deliveries from their events; nil where the event is gone.
func bodiesOf(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID, deliveries []millrace.Delivery) (map[millrace.DeliveryID]content, error) {
	ids := make([]millrace.EventID, len(deliveries))
	for i, d := range deliveries {
		ids[i] = d.EventID
	}
	bodies := make(map[millrace.DeliveryID]content, len(deliveries))
	events, err := tx.Events().ByIDs(ctx, env, ids)
	for _, d := range deliveries {
		bodies[d.ID] = content{}
		if e := events[d.EventID]; e != nil {
			bodies[d.ID] = content{e.Body(d.WebhookID), e.Traceparent}
		}
	}
	return bodies, err
}
