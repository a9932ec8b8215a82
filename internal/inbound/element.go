package inbound

import (
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// maxElements bounds how many events one hook may make for an account.
const maxElements = 1000

// elementsOf returns the elements of a payload: those of an array, or the payload itself.
func elementsOf(payload expr.Value) []expr.Value {
	switch v := payload.(type) {
	case nil, expr.Null:
		return nil
	case *expr.Array:
		return v.Items()
	}
	return []expr.Value{payload}
}

// hasElements reports whether a payload has elements that say what happened.
func hasElements(payload expr.Value) bool {
	return slices.ContainsFunc(elementsOf(payload), func(v expr.Value) bool {
		o, ok := v.(*expr.Object)
		return ok && eventOf(o) != ""
	})
}

// eventOf returns what an element says happened.
func eventOf(o *expr.Object) string {
	for _, name := range []string{"event_type", "event"} {
		if text, ok := member(o, name).(string); ok && text != "" {
			return text
		}
	}
	return ""
}

// eventsOf makes the events of a payload for an account, and says which elements make none. The first key of an event is
// the hook, so that no repetition makes a second event.
func eventsOf(e *Endpoint, hook millrace.InboundHookID, s *sight) ([]*millrace.Event, []millrace.Failure) {
	elements := elementsOf(s.payload)
	if s.kind == kindMeta {
		meta := jsonata.NewObject(2)
		meta.Set("event_type", millrace.EventRecordMeta)
		meta.Set("raw", s.payload)
		elements = []expr.Value{meta}
	}
	var events []*millrace.Event
	var skipped []millrace.Failure
	if len(elements) == 0 {
		skipped = append(skipped, millrace.Failure{Path: "elements", Message: "there are none: payload_transform returned nothing, or the body is empty"})
	}
	for i, element := range elements {
		if i == maxElements {
			skipped = append(skipped, millrace.Failure{Path: "elements", Message: fmt.Sprintf("there are more than %d elements", maxElements)})
			break
		}
		event, why := eventFrom(e, element)
		if why != nil {
			why.Path = fmt.Sprintf("elements[%d]%s", i, why.Path)
			skipped = append(skipped, *why)
			continue
		}
		event.IdempotencyKey = fmt.Sprintf("inbound_hook:%s:%s:%d", hook, e.AccountID, i)
		events = append(events, event)
	}
	return events, skipped
}

// eventFrom makes the event of one element, which says what happened to what: event_type, resource_type, resource_id and
// raw, or event, resource, id and snapshot.
func eventFrom(e *Endpoint, element expr.Value) (*millrace.Event, *millrace.Failure) {
	o, ok := element.(*expr.Object)
	if !ok {
		return nil, &millrace.Failure{Message: "is not an object that says what happened"}
	}
	said := eventOf(o)
	if said == "" {
		return nil, &millrace.Failure{Path: ".event_type", Message: "is missing: payload_transform must say whether a record was created, updated or deleted"}
	}
	name, why := recordEvent(said)
	if why != nil {
		return nil, why
	}
	payload, err := expr.EncodeJSON(payloadOf(e, name, said, o))
	if err != nil {
		return nil, &millrace.Failure{Message: "cannot be stored: " + err.Error()}
	}
	return &millrace.Event{EnvironmentID: e.EnvironmentID, Name: name, Payload: payload}, nil
}

// payloadOf is the payload of an event: whose record it is, then the members of the element under both of their names.
func payloadOf(e *Endpoint, name, said string, o *expr.Object) *expr.Object {
	integration := jsonata.NewObject(2)
	integration.Set("id", string(e.IntegrationID))
	integration.Set("name", e.IntegrationName)
	out := jsonata.NewObject(o.Len() + 8)
	out.Set("integrated_account_id", string(e.AccountID))
	out.Set("environment_integration_id", string(e.InstallID))
	out.Set("tenant_id", e.TenantID)
	out.Set("integration", integration)
	out.Set("event_type", name)
	if said != name && "record:"+said != name {
		out.Set("provider_event_type", said)
	}
	for _, names := range [][2]string{{"resource_type", "resource"}, {"resource_id", "id"}, {"raw", "snapshot"}} {
		v := member(o, names[0])
		if v == nil {
			v = member(o, names[1])
		}
		if v == nil {
			v = expr.Null{}
		}
		out.Set(names[0], v)
		if names[0] != "raw" {
			out.Set(names[1], v)
		}
	}
	for key, v := range o.All() {
		if _, taken := out.Get(key); !taken && key != "event" {
			out.Set(key, v)
		}
	}
	return out
}

// cut shortens what others wrote.
func cut(s string) string {
	const most = 60
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}
