package retention

import (
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// Needs says which rows of a kind are still needed, of those that were made before a time. docs/operations.md says the same to
// those who run a server.
func Needs(kind millrace.Kept, before, now millrace.Time) ([]store.Needed, error) {
	age := store.Needed{Need: store.NeedAge, Since: before} // many things end later than they are made, and count from their end
	switch kind {
	case millrace.KeptDeliveries:
		// What waits for a webhook that is inactive or deleted waits no longer than anything else is kept.
		return []store.Needed{age, {Need: store.NeedWebhook}, {Need: store.NeedRun}}, nil
	case millrace.KeptEvents:
		return []store.Needed{{Need: store.NeedMatch}, {Need: store.NeedDelivery}, {Need: store.NeedWorkflowRun}}, nil
	case millrace.KeptWorkflowRuns:
		// A rate limit may count the runs of the longest period that there is.
		counted := store.Needed{Need: store.NeedRate, Since: now.Add(-millrace.MaxPeriod.Duration())}
		return []store.Needed{{Need: store.NeedOpen}, {Need: store.NeedSlot}, age, counted}, nil
	case millrace.KeptSyncJobRuns:
		// The next run of a job for an account asks when the last one began in which nothing failed.
		return []store.Needed{{Need: store.NeedOpen}, age, {Need: store.NeedLine}, {Need: store.NeedPrevious}}, nil
	case millrace.KeptRunLogs, millrace.KeptCallLogs, millrace.KeptAudit:
		return nil, nil
	case millrace.KeptFires:
		return []store.Needed{age, {Need: store.NeedScheduled}}, nil
	case millrace.KeptInboundHooks:
		return []store.Needed{{Need: store.NeedOpen}}, nil
	}
	return nil, fmt.Errorf("nothing is known about keeping %q", kind)
}
