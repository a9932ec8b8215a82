package deliver

import (
	"context"

	"github.com/millrace/millrace"
)

const (
	digestFrom = 4   // so many notifications that wait together are sent as one
	digestSize = 200 // most of them that are
)

// size is how many deliveries are loaded together.
func (s *slice) size() int {
	if s.webhook.Notification == millrace.NotifySlack || s.webhook.Notification == millrace.NotifyEmail {
		return digestSize
	}
	return commitSize
}

// digests reports whether deliveries are sent as one message, which says how many there are of what: a thousand single
// notifications would be ignored.
func (s *slice) digests(items []item) bool {
	return s.size() == digestSize && len(items) >= digestFrom
}

// sendDigest sends one message for all the deliveries. Its outcome is that of all of them when it gets through, else of the
// first, which holds the others.
func (s *slice) sendDigest(ctx context.Context, items []item) (bool, error) {
	var m *Message
	for _, it := range items {
		switch {
		case it.body == nil:
		case m == nil:
			m = &Message{ID: it.delivery.ID, Body: it.body, Event: it.delivery.Event, Attempt: it.delivery.Attempts + 1}
		default:
			m.More = append(m.More, it.body)
		}
	}
	outcomes, err := s.send(ctx, []*Message{m})
	if err != nil {
		return true, err
	}
	o := outcomes[0]
	all, messages := make([]Outcome, len(items)), make([]*Message, len(items))
	for i, it := range items {
		all[i] = o
		if it.body != nil {
			messages[i] = &Message{ID: it.delivery.ID, Webhook: m.Webhook, Event: it.delivery.Event, Attempt: it.delivery.Attempts + 1}
		}
		if o.Kind != Delivered && it.body != nil {
			return s.noteAll(ctx, items[:i+1], messages[:i+1], all[:i+1])
		}
	}
	return s.noteAll(ctx, items, messages, all)
}
