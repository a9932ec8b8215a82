package expr

import (
	"time"

	"github.com/millrace/millrace/jsonata"
)

// LimitsCondition returns the limits of a run_if, a step's config and everything else that must be quick, because
// a decision waits for it.
func LimitsCondition() Limits { return limits(250 * time.Millisecond) }

// LimitsTransform returns the limits of an expression that works on a page of records.
func LimitsTransform() Limits { return limits(5 * time.Second) }

func limits(timeout time.Duration) Limits {
	return Limits{
		Steps:   jsonata.DefaultSteps,
		Depth:   jsonata.DefaultDepth,
		Output:  jsonata.DefaultOutput,
		Timeout: timeout,
	}
}
