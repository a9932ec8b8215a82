package httpapi

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

const eventNote = "The answer is sent when the event is durable. An event with the idempotency_key of an earlier one is " +
	"not stored again: the answer is the earlier one."

type events struct {
	*noun[millrace.EventID, millrace.Event, millrace.Event]
}

func (a *api) events() events {
	return events{&noun[millrace.EventID, millrace.Event, millrace.Event]{
		api: a, one: (*store.Tx).Event, many: (*store.Tx).ListEvents, show: asStored[millrace.Event],
	}}
}

// decidedEventView is an event with what was decided about it.
type decidedEventView struct {
	millrace.Event
	CausedBy  []millrace.Cause    `json:"caused_by" doc:"The chain that led to it, the nearest link first; empty when it came from outside."`
	Decisions []millrace.Decision `json:"decisions" doc:"For each workflow with that trigger: whether the event woke it, and why not."`
}

func (n events) getWithDecisions(ctx context.Context, in *getIn[millrace.EventID]) (*reply[decidedEventView], error) {
	out := &reply[decidedEventView]{}
	err := n.api.cfg.DB.View(ctx, func(tx *store.Tx) error {
		e, err := tx.Event(ctx, in.Environment, in.ID)
		if err != nil {
			return err
		}
		causes, err := tx.CausesOf(ctx, e)
		if err != nil {
			return err
		}
		decisions, err := tx.DecisionsOf(ctx, in.Environment, in.ID)
		out.Body = decidedEventView{*e, causes, decisions}
		return err
	})
	return out, err
}

// eventBody is the body of a create.
type eventBody struct {
	Identity
	Event          string  `json:"event" minLength:"1" doc:"custom: and a name of your own." example:"custom:invoice_paid"`
	Payload        *object `json:"payload,omitempty" doc:"What expressions see of the event."`
	IdempotencyKey string  `json:"idempotency_key,omitempty" maxLength:"255" doc:"Makes it safe to send the event again."`
}

func (b *eventBody) validate(*api, json.RawMessage) []millrace.Failure {
	if b.Event == "" || millrace.IsCustomEvent(b.Event) {
		return nil
	}
	return []millrace.Failure{{Path: "event", Message: fmt.Sprintf(
		"%q is not custom: followed by up to 128 letters, digits, dots, dashes and underscores; other events are the system's own", shorten(b.Event))}}
}

func (*eventBody) example() string {
	return `{"event":"custom:invoice_paid","payload":{"invoice":"A-17","total":1200},"idempotency_key":"A-17"}`
}

func (n events) create(ctx context.Context, in *createIn[eventBody]) (*reply[millrace.Event], error) {
	b := in.Data
	if err := b.own(in.Environment); err != nil {
		return nil, err
	}
	e := &millrace.Event{
		ID: millrace.EventID(b.ID), EnvironmentID: in.Environment, Name: b.Event, Payload: json.RawMessage("{}"),
		IdempotencyKey: b.IdempotencyKey, CreatedAt: n.api.now(),
	}
	if b.Payload != nil {
		e.Payload = rawOr(b.Payload.RawMessage, "{}")
	}
	if e.ID == "" {
		e.ID = millrace.NewID[millrace.EventID]()
	}
	sent := e.ID
	if err := n.api.cfg.Accepter.Accept(ctx, e); err != nil {
		return nil, err
	}
	if e.ID != sent {
		return n.get(ctx, &getIn[millrace.EventID]{ID: e.ID, Environment: in.Environment})
	}
	return &reply[millrace.Event]{*e}, nil
}
