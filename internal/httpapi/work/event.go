package work

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/store"
)

// EventNote is the description of POST /event.
const EventNote = "The response is sent when the event is durable. An event with the idempotency_key of an earlier one is " +
	"not stored again: the response is the earlier one."

type events struct {
	*rest.Resource[millrace.EventID, millrace.Event, millrace.Event]
	accepter *event.Accepter
	clock    func() time.Time
}

// Events are the handlers of events.
func (h *Handlers) Events() events {
	return events{rest.NewResource(h.DB, rest.RowsOf((*store.Tx).Events, nil), rest.AsStored[millrace.Event]), h.Accepter, h.Clock}
}

// decidedEventView is an event with what was decided about it.
type decidedEventView struct {
	millrace.Event
	CausedBy  []millrace.Cause    `json:"caused_by" doc:"The chain that led to it, the nearest link first; empty when it came from outside."`
	Decisions []millrace.Decision `json:"decisions" doc:"For each workflow with that trigger: whether the event woke it, and why not."`
}

func (n events) GetWithDecisions(ctx context.Context, in *rest.GetIn[millrace.EventID]) (*rest.Reply[decidedEventView], error) {
	out := &rest.Reply[decidedEventView]{}
	err := n.DB.View(ctx, func(tx *store.Tx) error {
		e, err := tx.Events().Get(ctx, in.Environment, in.ID)
		if err != nil {
			return err
		}
		causes, err := tx.Events().Causes(ctx, e)
		if err != nil {
			return err
		}
		decisions, err := tx.Decisions().OfEvent(ctx, in.Environment, in.ID)
		out.Body = decidedEventView{*e, causes, decisions}
		return err
	})
	return out, err
}

// eventBody is the body of a create.
type eventBody struct {
	rest.Identity
	Event          string       `json:"event" minLength:"1" doc:"custom: and a name of your own." example:"custom:invoice_paid"`
	Payload        *rest.Object `json:"payload,omitempty" doc:"What expressions see of the event."`
	IdempotencyKey string       `json:"idempotency_key,omitempty" maxLength:"255" doc:"Makes it safe to send the event again."`
}

func (b *eventBody) Validate(*rest.Request, json.RawMessage) []millrace.Failure {
	if b.Event == "" || millrace.IsCustomEvent(b.Event) {
		return nil
	}
	return []millrace.Failure{{Path: "event", Message: fmt.Sprintf(
		"%q is not custom: followed by up to 128 letters, digits, dots, dashes and underscores; other events are the system's own", millrace.Shorten(b.Event))}}
}

func (*eventBody) Example() string {
	return `{"event":"custom:invoice_paid","payload":{"invoice":"A-17","total":1200},"idempotency_key":"A-17"}`
}

func (n events) Create(ctx context.Context, in *rest.CreateIn[eventBody]) (*rest.Reply[millrace.Event], error) {
	b := in.Data
	if err := b.Own(in.Environment); err != nil {
		return nil, err
	}
	e := &millrace.Event{
		ID: millrace.EventID(b.ID), EnvironmentID: in.Environment, Name: b.Event, Payload: json.RawMessage("{}"),
		IdempotencyKey: b.IdempotencyKey, CreatedAt: millrace.TimeOf(n.clock()),
	}
	if b.Payload != nil {
		e.Payload = rest.RawOr(b.Payload.RawMessage, "{}")
	}
	if e.ID == "" {
		e.ID = millrace.NewID[millrace.EventID]()
	}
	sent := e.ID
	if err := n.accepter.Accept(ctx, e); err != nil {
		return nil, err
	}
	if e.ID != sent {
		return n.Get(ctx, &rest.GetIn[millrace.EventID]{ID: e.ID, Principal: in.Principal})
	}
	return &rest.Reply[millrace.Event]{Body: *e}, nil
}
