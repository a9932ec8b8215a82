package expr

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/jsonata"
)

// Occurrence is an event decoded for expressions.
type Occurrence struct {
	event   Value
	payload *jsonata.Object
	account Value // context of the account that the payload itself is
}

// NewOccurrence decodes an event.
func NewOccurrence(e *millrace.Event) (*Occurrence, error) {
	payload, err := jsonata.FromJSON(e.Payload)
	if err != nil {
		return nil, fmt.Errorf("decode payload of event %s: %w", e.ID, err)
	}
	envelope := jsonata.NewObject(5)
	envelope.Set("id", string(e.ID))
	envelope.Set("event", e.Name)
	envelope.Set("payload", payload)
	envelope.Set("environment_id", string(e.EnvironmentID))
	envelope.Set("created_at", e.CreatedAt.String())
	o := &Occurrence{event: envelope}
	if o.payload, _ = payload.(*jsonata.Object); o.payload != nil && strings.HasPrefix(e.Name, "integrated_account:") {
		o.account, _ = o.payload.Get("context")
	}
	return o, nil
}

// AccountID returns the account that the event is about when its context has to be looked up, else "".
func (o *Occurrence) AccountID() millrace.IntegratedAccountID {
	if o.account != nil || o.payload == nil {
		return ""
	}
	named, _ := o.payload.Get("integrated_account_id")
	id, _ := named.(string)
	return millrace.IntegratedAccountID(id)
}

// SetAccountContext sets the context of the account that was looked up, without its protected fields.
func (o *Occurrence) SetAccountContext(public json.RawMessage) error {
	v, err := jsonata.FromJSON(public)
	if err != nil {
		return fmt.Errorf("decode account context: %w", err)
	}
	o.account = v
	return nil
}

// Scope returns the document of a workflow's expressions; steps are the results of earlier steps.
func (o *Occurrence) Scope(steps ...Value) Value {
	return EventScope(ScopeInput{Event: o.event, Context: o.account, Steps: steps})
}
