package trigger

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// readSpent finds out which of the batch's events belong to one from outside that has caused as many runs as it may. An event
// from outside that has just come has caused none.
func (w *matching) readSpent(ctx context.Context, tx *store.Tx) error {
	roots := map[millrace.EventID]bool{}
	var list []millrace.EventID
	for i := range w.batch.Events {
		e := &w.batch.Events[i]
		if root := e.Root(); (w.batch.Progress != "" || root != e.ID) && !roots[root] {
			roots[root] = true
			list = append(list, root)
		}
	}
	for some := range slices.Chunk(list, 256) {
		caused, err := tx.Events().FanOut(ctx, w.batch.EnvironmentID, some)
		if err != nil {
			return err
		}
		for root, runs := range caused {
			w.spent[root] = runs >= w.cfg.FanOut
		}
	}
	return nil
}

// stopped reports whether an event wakes nothing any more, because of what led to it.
func (w *matching) stopped(e *millrace.Event) bool { return e.Depth >= maxDepth || w.spent[e.Root()] }

// limit says why an event wakes nothing any more, as JSON.
func (w *matching) limit(ctx context.Context, e *millrace.Event) (json.RawMessage, error) {
	if known := w.limits[e.ID]; known != nil {
		return known, nil
	}
	var causes []millrace.Cause
	err := w.cfg.DB.View(ctx, func(tx *store.Tx) error {
		var err error
		causes, err = tx.Events().Causes(ctx, e)
		return err
	})
	if err != nil {
		return nil, err
	}
	failure := tooDeep(e, causes)
	if e.Depth < maxDepth {
		failure = tooMany(e, w.cfg.FanOut, causes)
	}
	text, err := json.Marshal(failure)
	if err != nil {
		return nil, fmt.Errorf("encode decision: %w", err)
	}
	w.limits[e.ID] = text
	return text, nil
}

// tooDeep says why an event wakes nothing any more, with the whole chain from the first event on.
func tooDeep(e *millrace.Event, causes []millrace.Cause) millrace.Failure {
	return millrace.Failure{
		Code: "causation_limit",
		Message: fmt.Sprintf("%d workflow runs led to this event, one from the other, and %d is the limit: a workflow that causes its own trigger is stopped here. %s",
			e.Depth, maxDepth, chain(e, causes)),
	}
}

// tooMany says why an event wakes nothing any more, with the chain from the event from outside to this one.
func tooMany(e *millrace.Event, limit int64, causes []millrace.Cause) millrace.Failure {
	return millrace.Failure{
		Code: "fan_out_limit",
		Message: fmt.Sprintf("event %s has caused %d workflow runs, directly or through events of these runs, and %d is the limit: it starts no more. %s",
			e.Root(), limit, limit, chain(e, causes)),
	}
}

// chain names the events and workflows that led to an event.
func chain(e *millrace.Event, causes []millrace.Cause) string {
	var links []string
	for _, c := range slices.Backward(causes) {
		name := c.WorkflowLabel
		if name == "" {
			name = string(c.WorkflowID)
		}
		links = append(links, fmt.Sprintf("%s -> workflow %q -> sync job run %s", c.Event, name, c.SyncJobRunID))
	}
	return strings.Join(append(links, e.Name), " -> ")
}
