package expr

import (
	"strings"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

// ScopeInput is what the expressions of a workflow can see.
type ScopeInput struct {
	// Event is the envelope: an object with id, event, payload, environment_id and created_at.
	Event Value
	// Context is the integrated account's context without its protected fields; nil if there is none.
	Context Value
	// Steps are the results of the steps before this one.
	Steps []Value
}

// EventScope builds the document of a workflow's expressions and placeholders: every field of the event's payload,
// and over them the names event, environment_id, integrated_account_id, context and steps. integration,
// environment_integration and tenant_id are fields of the payload. A payload field named context or steps is hidden
// even if there is nothing to put in its place, so that an unredacted context cannot slip through.
func EventScope(in ScopeInput) Value {
	envelope, ok := in.Event.(*jsonata.Object)
	if !ok {
		envelope = jsonata.NewObject(0)
	}
	payload := objectMember(envelope, "payload")
	scope := jsonata.NewObject(payload.Len() + 5)
	set := func(key string, v Value) {
		if v != nil {
			scope.Set(key, v)
		}
	}
	set("event", in.Event)
	set("environment_id", firstPresent(js.Get(envelope, "environment_id"), js.Get(payload, "environment_id")))
	set("integrated_account_id", accountID(envelope, payload))
	set("context", in.Context)
	scope.Set("steps", jsonata.NewArray(in.Steps...))
	for key, v := range payload.All() {
		if _, taken := scope.Get(key); !taken && key != "event" && key != "context" {
			set(key, v)
		}
	}
	return scope
}

// accountID returns the account that an event is about: the payload itself is the account in events of accounts, and
// names it in all others, records of sync job runs in their meta.
func accountID(envelope, payload *jsonata.Object) Value {
	named := firstPresent(js.Get(payload, "integrated_account_id"), js.Get(objectMember(payload, "meta"), "integrated_account_id"))
	name, _ := js.Get(envelope, "event").(string)
	if !strings.HasPrefix(name, "integrated_account:") {
		return named
	}
	return firstPresent(js.Get(payload, "id"), named)
}

// objectMember returns a member that is an object, or an empty object.
func objectMember(o *jsonata.Object, key string) *jsonata.Object {
	if member, ok := js.Get(o, key).(*jsonata.Object); ok {
		return member
	}
	return jsonata.NewObject(0)
}

func firstPresent(values ...Value) Value {
	for _, v := range values {
		if v != nil {
			return v
		}
	}
	return nil
}
