package work

import (
	"context"
	"encoding/json"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/event/catalogue"
	"github.com/millrace/millrace/internal/httpapi/rest"
)

// EventTypeView is an event type on the wire.
type EventTypeView struct {
	Name       string `json:"name" example:"integrated_account:active"`
	About      string `json:"description" doc:"When it happens."`
	Emitted    bool   `json:"emitted" doc:"Whether this server emits it; false for names that are only known from the published catalogue."`
	CanTrigger bool   `json:"can_trigger" doc:"Whether a workflow can have it as its trigger."`
}

// eventTypeDetail is an event type with its payload.
type eventTypeDetail struct {
	EventTypeView
	Schema  *rest.Object          `json:"payload_schema" doc:"JSON Schema of the payload; null when this server does not emit the event."`
	Example *millrace.Envelope    `json:"example" doc:"A delivery of such an event."`
	Scope   []catalogue.ScopeName `json:"scope" doc:"The names that the expressions of a workflow with this trigger see."`
	Open    bool                  `json:"open" doc:"Whether the payload may have more members than the schema names."`
}

func viewOf(t *catalogue.Type) EventTypeView {
	return EventTypeView{Name: t.Name, About: t.About, Emitted: t.Example != nil, CanTrigger: t.Name != millrace.EventTest}
}

// eventTypeList is a list of event types.
type eventTypeList struct {
	Result []EventTypeView `json:"result"`
}

// ListEventTypes lists the types of events.
func (h *Handlers) ListEventTypes(context.Context, *rest.NoIn) (*rest.Reply[eventTypeList], error) {
	out := &rest.Reply[eventTypeList]{}
	for _, t := range catalogue.Types() {
		out.Body.Result = append(out.Body.Result, viewOf(&t))
	}
	return out, nil
}

// nameIn is the input of a handler about something that has a name.
type nameIn struct {
	rest.Principal
	Name string `path:"name" doc:"The name of the event." example:"integrated_account:active"`
}

func (in *nameIn) Read(r *rest.Request, _ *rest.BodyReader) error {
	in.Principal = r.Principal
	return nil
}

// GetEventType gets a type of events with its payload's schema.
func (h *Handlers) GetEventType(_ context.Context, in *nameIn) (*rest.Reply[eventTypeDetail], error) {
	t, ok := catalogue.Find(in.Name)
	if !ok {
		return nil, millrace.Unknown("name", "event type", in.Name, millrace.EventNames())
	}
	detail := eventTypeDetail{EventTypeView: viewOf(&t), Open: t.Open, Scope: t.Scope()}
	if t.Example != nil {
		schema, err := rest.StandaloneSchema(t.Name, t.Example)
		if err != nil {
			return nil, err
		}
		payload, err := json.Marshal(t.Example)
		if err != nil {
			return nil, err
		}
		detail.Schema = &rest.Object{RawMessage: schema}
		detail.Example = &millrace.Envelope{
			ID: catalogue.ExampleID, Event: t.Name, Payload: payload, EnvironmentID: in.Environment, CreatedAt: catalogue.ExampleTime, WebhookID: catalogue.ExampleID,
		}
	}
	return &rest.Reply[eventTypeDetail]{Body: detail}, nil
}
