package show

import "github.com/millrace/millrace"

// Advice says what an outcome means, for people.
func Advice(o millrace.Outcome) string {
	switch o {
	case millrace.OutcomeMatched:
		return "The condition held; there is a workflow run."
	case millrace.OutcomeNotMatched:
		return "The condition did not hold: no run."
	case millrace.OutcomeError:
		return "An expression failed, so there is no run."
	case millrace.OutcomeLimit:
		return "An expression or a chain of runs met a limit, so there is no run."
	case millrace.OutcomePaused:
		return "The workflow was paused: no run."
	case millrace.OutcomeDeduplicated:
		return "An earlier event had the same idempotency key and led to the run."
	case millrace.OutcomeDelayed:
		return "The run begins later, as the workflow's delay says."
	case millrace.OutcomeThrottled:
		return "The run begins later, as the workflow's rate limit says."
	case millrace.OutcomeDebounced:
		return "The run waits for more such events, and begins with the last."
	case millrace.OutcomeSkipped:
		return "As many runs as the workflow allows at a time were under way: no run."
	case millrace.OutcomeCancelled:
		return "Another run took the place of this one."
	}
	return ""
}
