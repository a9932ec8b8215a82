package syncjob

import (
	"encoding/json"
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/syncjob/evaluate"
	"github.com/millrace/millrace/internal/syncjob/plan"
)

// A run in which something failed must not look like one in which nothing did. Three things follow from what the checkpoint
// counts: a run whose requests have all failed is failed, whatever its error_handling says; one that has failures is partial,
// and no base of the next; and what it would write to the state stays unchanged, see holds.

// undeliverable returns why the records of the run cannot be sent anywhere, if that is known before any is fetched.
func (s *walk) undeliverable() *millrace.RunError {
	n := s.graph.OwnWebhook
	if n == nil || s.run.WebhookID != "" || s.point.Failing != nil {
		return nil
	}
	return &millrace.RunError{
		Code: evaluate.CodeNoWebhook, Node: n.Name, Resource: n.Resource(),
		Message: fmt.Sprintf("the records of %q are to be sent to the webhook of the run, and it has none: give it a webhook_id", n.Name),
	}
}

// fruitless reports whether something has failed in a run that has not fetched a page.
func (s *walk) fruitless() bool {
	return s.point.Failing == nil && s.point.Failed > 0 && !s.point.Fetched && s.graph.Requests
}

// completing begins the complete events of the run at the first of them. It returns ErrStop when there is nothing that is
// complete.
func (s *walk) completing(e *evaluate.Evaluation, n *plan.Node) error {
	switch {
	case !n.Completes() || s.point.Completed != 0:
		return nil
	case s.fruitless():
		e.Fatal = &evaluate.Problem{RunError: s.point.First.RunError}
		return evaluate.ErrStop
	}
	s.point.Completed = s.now()
	return nil
}

// ending is the scope of the run outside of all requests. In the events at its end, sync_job_run shows how it ends: below
// complete a run in which nothing failed is completed, one with failures still runs and is partial; below error it is failed.
func (s *walk) ending() plan.Scope {
	shown := *s.run
	switch {
	case s.point.Failing != nil:
		shown.Status = millrace.RunFailed
	case s.graph.ByName[s.point.Moment()].Completes():
		shown.FinishedAt, shown.IsPartial = s.point.Completed, s.point.Failed > 0
		if !shown.IsPartial {
			shown.Status = millrace.RunCompleted
		}
	default:
		return s.base
	}
	shown.ErrorCount = s.point.Failed
	sc, err := s.base.WithRun(&shown)
	if err != nil {
		return s.base // which has been made of the same row
	}
	return sc
}

// held returns why a change of the state is held back; empty: it is not. A node whose on_partial is write changes the state
// all the same, and so do those below error events.
//
// Below a complete event, or beside all requests, everything in the run counts. Below a request the key decides: it moves
// past the failed elements of each list in which it is the same for all elements.
func (s *walk) held(n *plan.Node, key string, keyIn func(plan.Scope) string) string {
	switch {
	case n.State.Write || s.point.Failing != nil || s.point.Failed == 0:
		return ""
	case s.graph.ByName[s.point.Moment()].Completes():
		return fmt.Sprintf("%d failures in the run", s.point.Failed)
	}
	within := false
	for i, f := range s.point.Stack {
		if f.Call == nil {
			continue
		}
		within = true
		if f.Call.Failed && keyIn(s.scopeOf(s.point.Stack[:i])) == key {
			return fmt.Sprintf("something failed in or below an element of %q", f.Call.Node)
		}
	}
	if within {
		return ""
	}
	return fmt.Sprintf("%d failures in the run", s.point.Failed)
}

// firstError returns the first_error of the row.
func (s *walk) firstError() (json.RawMessage, error) {
	if s.point.First == nil {
		return nil, nil
	}
	raw, err := json.Marshal(s.point.First)
	if err != nil {
		return nil, fmt.Errorf("encode first_error: %w", err)
	}
	return raw, nil
}

// waits shows in the row until when, and why, nothing is fetched.
func (s *walk) waits(run *millrace.SyncJobRun) {
	run.RetryAt, run.WaitReason, run.WaitsForAccount = s.point.NotBefore, s.point.Why, ""
	if s.point.AuthSince != 0 {
		run.WaitsForAccount = s.point.Top().Call.Account
	}
}
