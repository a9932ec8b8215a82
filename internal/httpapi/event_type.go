package httpapi

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace"
)

// eventType describes an event of the catalogue.
type eventType struct {
	name    string
	about   string // when it happens
	example any    // of the type of the payload; nil: nothing here emits it
	open    bool   // the payload may have any members
}

// eventTypeView is an event type on the wire.
type eventTypeView struct {
	Name       string `json:"name" example:"integrated_account:active"`
	About      string `json:"description" doc:"When it happens."`
	Emitted    bool   `json:"emitted" doc:"Whether this server emits it; false for names that are only known from the published catalogue."`
	CanTrigger bool   `json:"can_trigger" doc:"Whether a workflow can have it as its trigger."`
}

// eventTypeDetail is an event type with its payload.
type eventTypeDetail struct {
	eventTypeView
	Schema  *object            `json:"payload_schema" doc:"JSON Schema of the payload; null when this server does not emit the event."`
	Example *millrace.Envelope `json:"example" doc:"A delivery of such an event."`
	Scope   []scopeName        `json:"scope" doc:"The names that the expressions of a workflow with this trigger see."`
	Open    bool               `json:"open" doc:"Whether the payload may have more members than the schema names."`
}

// scopeName is a name that expressions see.
type scopeName struct {
	Name string `json:"name"`
	From string `json:"from" doc:"Where its value comes from."`
}

func (t *eventType) view() eventTypeView {
	return eventTypeView{Name: t.name, About: t.about, Emitted: t.example != nil, CanTrigger: t.name != millrace.EventTest}
}

// eventTypeList is a list of event types.
type eventTypeList struct {
	Result []eventTypeView `json:"result"`
}

func (a *api) listEventTypes(context.Context, *noIn) (*reply[eventTypeList], error) {
	out := &reply[eventTypeList]{}
	for _, t := range eventTypes() {
		out.Body.Result = append(out.Body.Result, t.view())
	}
	return out, nil
}

// findEventType returns the type of an event; every custom event is of the same.
func findEventType(name string) (eventType, bool) {
	if millrace.IsCustomEvent(name) {
		name = customName
	}
	all := eventTypes()
	i := slices.IndexFunc(all, func(t eventType) bool { return t.name == name })
	if i < 0 {
		return eventType{}, false
	}
	return all[i], true
}

// nameIn is the input of a handler about something that has a name.
type nameIn struct {
	Environment millrace.EnvironmentID
	Name        string `path:"name" doc:"The name of the event." example:"integrated_account:active"`
}

func (in *nameIn) read(r *request, _ *bodyReader) error { //nolint:unparam // the method of an interface
	in.Environment = r.environment
	return nil
}

func (a *api) getEventType(_ context.Context, in *nameIn) (*reply[eventTypeDetail], error) {
	t, ok := findEventType(in.Name)
	if !ok {
		err := millrace.NotFound("event type", shorten(in.Name))
		if near := millrace.Nearest(in.Name, millrace.EventNames()); near != "" {
			return nil, millrace.Errorf(millrace.KindNotFound, "%v; did you mean %q?", err, near)
		}
		return nil, err
	}
	detail := eventTypeDetail{eventTypeView: t.view(), Open: t.open, Scope: t.scope()}
	if t.example != nil {
		schema, err := payloadSchema(t)
		if err != nil {
			return nil, err
		}
		payload, err := json.Marshal(t.example)
		if err != nil {
			return nil, err
		}
		detail.Schema = &object{schema}
		detail.Example = &millrace.Envelope{
			ID: exampleID, Event: t.name, Payload: payload, EnvironmentID: in.Environment, CreatedAt: exampleTime, WebhookID: exampleID,
		}
	}
	return &reply[eventTypeDetail]{detail}, nil
}

// scope lists what expressions see of an event. It says in words what expr.EventScope does.
func (t *eventType) scope() []scopeName {
	names := []scopeName{
		{"event", "the whole event: id, event, payload, environment_id, created_at"},
		{"environment_id", "the environment"},
		{"integrated_account_id", "the account that the event is about, if it is about one"},
		{"context", "the context of that account, without its credentials"},
		{"steps", "the results of the steps before"},
	}
	own := len(names)
	for _, member := range payloadMembers(t) {
		if !slices.ContainsFunc(names[:own], func(n scopeName) bool { return n.Name == member }) {
			names = append(names, scopeName{member, "payload." + member})
		}
	}
	return names
}

// payloadMembers are the members that a payload can have, sorted.
func payloadMembers(t *eventType) []string {
	if t.example == nil {
		return nil
	}
	registry := payloadRegistry()
	schema := registry.Schema(reflect.TypeOf(t.example), false, "")
	members := make([]string, 0, len(schema.Properties))
	for name := range schema.Properties {
		members = append(members, name)
	}
	slices.Sort(members)
	return members
}

func payloadRegistry() huma.Registry {
	registry := huma.NewMapRegistry("#/$defs/", schemaName)
	registry.RegisterTypeAlias(typeOf[millrace.Time](), typeOf[wireTime]())
	return registry
}

// payloadSchema returns a JSON Schema that stands alone. It is made from the type that is emitted, so that it cannot
// say anything else.
func payloadSchema(t eventType) (json.RawMessage, error) {
	registry := payloadRegistry()
	schema := registry.Schema(reflect.TypeOf(t.example), false, "")
	describeDocuments(schema)
	for _, s := range registry.Map() {
		describeDocuments(s)
		relax(s)
	}
	relax(schema)
	raw, err := json.Marshal(schema)
	if err != nil {
		return nil, err
	}
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, err
	}
	whole := map[string]any{"$schema": "https://json-schema.org/draft/2020-12/schema", "title": t.name, "$defs": registry.Map()}
	for name, member := range members {
		whole[name] = member
	}
	return json.Marshal(whole)
}

// relax lets objects grow: a receiver must not break when a payload gets a new member.
func relax(s *huma.Schema) {
	if s.Type == huma.TypeObject && s.AdditionalProperties == false {
		s.AdditionalProperties = nil
	}
}
