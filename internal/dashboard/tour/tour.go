// Package tour shows a user who looks at an environment for the first time what happened in it, or what is to be done first. All that it says is
// of rows that are there.
package tour

import (
	"context"
	"encoding/json"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/views"
)

// Tour is one way of the data through an environment, from an event to what was delivered.
type Tour struct {
	*views.Chain
	Condition  string // of the workflow; empty: it always runs
	Target     string // of the webhook
	Records    int64  // that were sent
	Deliveries int64
	More       bool             // there are more deliveries
	Unlike     millrace.EventID // of the same name, which did not match; empty: none
}

// Bounds of what is read.
const (
	deliveriesCounted = 1000
	eventsRead        = 20
)

// Read finds a tour of an environment; nil: nothing has gone all the way yet.
func Read(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID) (*Tour, error) {
	q := store.ViewsOf(tx)
	chain, err := q.LastChain(ctx, env)
	if err != nil || chain == nil {
		return nil, err
	}
	t := &Tour{Chain: chain}
	workflow, err := tx.Workflows().Get(ctx, env, chain.Workflow)
	if err != nil {
		return nil, gone(err)
	}
	t.Condition = workflow.Config.RunIf
	hook, err := tx.Webhooks().Get(ctx, env, chain.Webhook)
	if err != nil {
		return nil, gone(err)
	}
	t.Target = hook.TargetURL
	run, err := tx.SyncJobRuns().Get(ctx, env, chain.Run)
	if err != nil {
		return nil, gone(err)
	}
	t.Records = sent(run.ResourceStats)
	deliveries, err := q.DeliveriesOfRun(ctx, env, chain.Run, deliveriesCounted+1)
	if err != nil {
		return nil, err
	}
	t.Deliveries, t.More = int64(min(len(deliveries), deliveriesCounted)), len(deliveries) > deliveriesCounted
	events, err := q.LastOfName(ctx, env, chain.EventName, eventsRead)
	if err == nil {
		t.Unlike, err = q.NotMatched(ctx, env, chain.Workflow, events)
	}
	return t, err
}

// gone returns no error for a row that was deleted meanwhile: there is no tour then.
func gone(err error) error {
	if millrace.KindOf(err) == millrace.KindNotFound {
		return nil
	}
	return err
}

// sent adds up what a run has delivered.
func sent(stats json.RawMessage) int64 {
	var resources map[string]map[string]struct {
		Persisted int64 `json:"persisted"`
	}
	_ = json.Unmarshal(stats, &resources) // of a run without any there is nothing
	n := int64(0)
	for _, methods := range resources {
		for _, m := range methods {
			n += m.Persisted
		}
	}
	return n
}

// Step is something to do before anything can happen.
type Step struct {
	What  string
	Where string // page below those of the environment
	How   string // in a request or a command; empty: on the page
	Done  bool
	Next  bool // it is the first that is not done
}

// Steps returns what has to be done in an environment without accounts; none once it has one.
func Steps(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID) ([]Step, error) {
	q := millrace.Query{Limit: 1}
	out := []Step{
		{What: "Install an integration", Where: "integrations", How: "millrace integration install NAME"},
		{What: "Create a webhook, to which records are sent", Where: "webhooks", How: "POST /webhook"},
		{What: "Write a sync job: what is fetched", Where: "sync-jobs/new"},
		{What: "Write a workflow: when it is fetched", Where: "workflows/new"},
		{What: "Let a customer connect an account", Where: "accounts", How: "POST /link-token"},
	}
	for i, count := range []func() (int, error){
		func() (int, error) { page, err := tx.Installs().List(ctx, env, q); return len(page.Result), err },
		func() (int, error) { page, err := tx.Webhooks().List(ctx, env, q); return len(page.Result), err },
		func() (int, error) { page, err := tx.SyncJobs().List(ctx, env, q); return len(page.Result), err },
		func() (int, error) { page, err := tx.Workflows().List(ctx, env, q); return len(page.Result), err },
		func() (int, error) { page, err := tx.Accounts().List(ctx, env, q); return len(page.Result), err },
	} {
		n, err := count()
		if err != nil {
			return nil, err
		}
		out[i].Done = n > 0
	}
	if out[len(out)-1].Done {
		return nil, nil
	}
	for i := range out {
		if !out[i].Done {
			out[i].Next = true
			break
		}
	}
	return out, nil
}
