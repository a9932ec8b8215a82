package millrace

import (
	"encoding/json"
	"time"
)

// IdempotentCallID follows from what an idempotency key is scoped to.
type IdempotentCallID string

// IdempotentCall is a call to a provider that was made under an idempotency key. It is stored before the call is
// made: a row without a status that is no longer worked on means that the outcome of the call is unknown.
type IdempotentCall struct {
	ID            IdempotentCallID
	EnvironmentID EnvironmentID
	RequestHash   string
	Status        int64           // of the response; 0: there is none yet
	Header        json.RawMessage // of the response
	Body          json.RawMessage // of the response, any bytes; encrypted at rest
	Truncated     bool            // the body was too large to be kept
	CreatedAt     Time
}

// KeepIdempotent is how long an idempotency key is remembered.
const KeepIdempotent = 24 * time.Hour
