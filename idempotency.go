package millrace

import (
	"encoding/json"
	"time"
)

// IdempotentCallID follows from what an idempotency key is scoped to.
type IdempotentCallID string

// IdempotentCall is a call to a third party that was made under an idempotency key. It is stored before the call is
// made: a row without a status that is not being worked on any more says that nobody knows what came of the call.
type IdempotentCall struct {
	ID            IdempotentCallID
	EnvironmentID EnvironmentID
	RequestHash   string
	Status        int64           // of the answer; 0: there is none yet
	Header        json.RawMessage // of the answer
	Body          json.RawMessage // of the answer, any bytes; encrypted at rest
	Truncated     bool            // the body was too large to be kept
	CreatedAt     Time
}

// KeepIdempotent is how long an idempotency key is remembered.
const KeepIdempotent = 24 * time.Hour
