package dialect

import (
	"time"

	"github.com/millrace/millrace/internal/dialect/luxon"
	"github.com/millrace/millrace/jsonata"
)

// NewDate makes a value of the scope that behaves like a JavaScript date: it serialises as ISO text in UTC with milliseconds, and has
// methods such as toISOString() and getTime().
func NewDate(t time.Time) jsonata.Value { return luxon.NewDate(t) }
