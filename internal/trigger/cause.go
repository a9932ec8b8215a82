package trigger

import (
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace"
)

// tooDeep says why an event wakes nothing any more, with the whole chain from the first event on.
func tooDeep(e *millrace.Event, causes []millrace.Cause) millrace.Failure {
	var chain []string
	for _, c := range slices.Backward(causes) {
		name := c.WorkflowLabel
		if name == "" {
			name = string(c.WorkflowID)
		}
		chain = append(chain, fmt.Sprintf("%s -> workflow %q -> sync job run %s", c.Event, name, c.SyncJobRunID))
	}
	chain = append(chain, e.Name)
	return millrace.Failure{
		Code: "causation_limit",
		Message: fmt.Sprintf("%d workflow runs led to this event, one from the other, and %d is the limit: a workflow that causes its own trigger is stopped here. %s",
			e.Depth, maxDepth, strings.Join(chain, " -> ")),
	}
}
