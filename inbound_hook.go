package millrace

import (
	"encoding/json"
	"slices"
)

// InboundStatus is the outcome of an inbound hook.
type InboundStatus string

// The states of an inbound hook: accepted -> processed or failed. The others are final from the start.
const (
	InboundAccepted  InboundStatus = "accepted"  // stored; its evaluation is due
	InboundProcessed InboundStatus = "processed" // evaluated; it made as many events as it says, possibly none
	InboundFailed    InboundStatus = "failed"    // an expression failed, or it is about no account that is known
	InboundAnswered  InboundStatus = "answered"  // a handshake, complete with the response to the request
	InboundDuplicate InboundStatus = "duplicate" // the same delivery was accepted before; it makes no event
	InboundRejected  InboundStatus = "rejected"  // it does not prove where it comes from
)

// InboundStatuses returns the states of an inbound hook.
func InboundStatuses() []InboundStatus {
	return []InboundStatus{InboundAccepted, InboundProcessed, InboundFailed, InboundAnswered, InboundDuplicate, InboundRejected}
}

// Next reports whether a hook in state s may go to state t.
func (s InboundStatus) Next(t InboundStatus) bool {
	return s == InboundAccepted && (t == InboundProcessed || t == InboundFailed)
}

// InboundHook is a request that a provider made to us.
type InboundHook struct {
	ID                       InboundHookID            `json:"id"`
	EnvironmentID            EnvironmentID            `json:"environment_id"`
	EnvironmentIntegrationID EnvironmentIntegrationID `json:"environment_integration_id"`
	IntegratedAccountID      IntegratedAccountID      `json:"integrated_account_id"` // the first of AccountIDs
	AccountIDs               json.RawMessage          `json:"integrated_account_ids"`
	BatchID                  BatchID                  `json:"-"` // of the hooks that were stored together
	Traceparent              string                   `json:"-"` // of the request
	Status                   InboundStatus            `json:"status"`
	Method                   string                   `json:"method"`
	ContentType              string                   `json:"content_type"`
	Size                     int64                    `json:"size"`
	Header                   json.RawMessage          `json:"-"` // text by name in lower case; encrypted at rest
	Query                    string                   `json:"-"` // as sent; encrypted at rest, because some providers put a secret there
	Body                     json.RawMessage          `json:"-"` // any bytes; encrypted at rest
	ReplayKey                string                   `json:"-"` // while it is set, no other hook can have it
	DuplicateOf              InboundHookID            `json:"duplicate_of,omitempty"`
	Error                    json.RawMessage          `json:"error,omitempty"`      // a Failure: why it was rejected, or failed
	Evaluation               json.RawMessage          `json:"evaluation,omitempty"` // an InboundEvaluation
	EventCount               int64                    `json:"event_count"`
	EventIDs                 json.RawMessage          `json:"event_ids"`
	CreatedAt                Time                     `json:"created_at"`
	EvaluatedAt              Time                     `json:"evaluated_at"`
}

// InboundEvaluation says what an inbound hook did, and why it did nothing.
type InboundEvaluation struct {
	Type           string    `json:"type"`                      // what handle_verification called it: verify, meta or payload
	Elements       int       `json:"elements"`                  // how many elements the payload has
	Skipped        []Failure `json:"skipped,omitempty"`         // elements that made no event, and why
	ContextUpdated bool      `json:"context_updated,omitempty"` // update_context changed the context of an account
}

// InboundRequest is a request of a provider, as it came. One of AccountID and InstallID is set.
type InboundRequest struct {
	EnvironmentID EnvironmentID // empty: the address names none
	AccountID     IntegratedAccountID
	InstallID     EnvironmentIntegrationID
	Method        string
	ContentType   string
	Header        map[string]string // by name in lower case; several of one name are joined by a comma
	Query         string
	Body          []byte
}

// InboundResponse is what a provider gets.
type InboundResponse struct {
	Status int
	Header map[string]string
	Body   []byte
}

// MinTokenSecret is how many bytes a shared secret of JSON Web Tokens must have: a shorter one can be guessed from a single
// token.
const MinTokenSecret = 16

// HookSignature says how inbound hooks prove where they come from, with its secrets in place.
type HookSignature struct {
	Format      string
	Algorithm   string
	Secret      string // of hmac and the presets; the token of bearer; the key of jwt with a shared secret
	Parts       []string
	CompareWith string
	StringType  string // how the signature is written: hex, base64, base64url
	Timestamp   string // where the time of signing is: $header.<name>
	DeliveryID  string // where the id of the delivery is: $header.<name>
	Tolerance   int64  // in seconds
	Username    string
	Password    string
	JWKSURL     string
	Issuer      string
	Audience    string
}

// The events about records of providers.
const (
	EventRecordCreated = "record:created"
	EventRecordUpdated = "record:updated"
	EventRecordDeleted = "record:deleted"
	EventRecordMeta    = "record:meta"
)

// AllRecordEvents stands for all of them in the subscription of a webhook.
const AllRecordEvents = "record:*"

// RecordEvents returns the events that inbound hooks make.
func RecordEvents() []string {
	return []string{EventRecordCreated, EventRecordUpdated, EventRecordDeleted, EventRecordMeta}
}

// IsRecordEvent reports whether name is an event that inbound hooks make.
func IsRecordEvent(name string) bool { return slices.Contains(RecordEvents(), name) }
