package trigger_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
	"github.com/millrace/millrace/internal/trigger"
)

// Events that several nodes match at once are decided one after the other: each control gives what it has to give once.
func TestNodesMatchAtOnce(t *testing.T) {
	t.Parallel()
	const nodes, each = 6, 4
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for name, c := range map[string]struct {
			config millrace.WorkflowConfig
			want   map[millrace.Outcome]int
			runs   int
		}{
			"once":     {millrace.WorkflowConfig{IdempotencyKey: "'k'"}, map[millrace.Outcome]int{"matched": 1, "deduplicated": nodes*each - 1}, 1},
			"debounce": {millrace.WorkflowConfig{Debounce: &millrace.Debounce{Period: 3600}}, map[millrace.Outcome]int{"debounced": nodes * each}, 1},
			"rate": {
				millrace.WorkflowConfig{RateLimit: &millrace.RateLimit{Limit: 3, Period: 3600}},
				map[millrace.Outcome]int{"matched": 3, "throttled": nodes*each - 3},
				nodes * each,
			},
			"skip": {
				millrace.WorkflowConfig{Concurrency: &millrace.Concurrency{Limit: 2, OnConflict: millrace.ConflictSkip}},
				map[millrace.Outcome]int{"matched": 2, "skipped": nodes*each - 2},
				2,
			},
			"cancel": {
				millrace.WorkflowConfig{Concurrency: &millrace.Concurrency{Limit: 2, OnConflict: millrace.ConflictCancelRunning}},
				map[millrace.Outcome]int{"matched": 2, "cancelled": nodes*each - 2},
				nodes * each,
			},
			"both": { // locks of several keys
				millrace.WorkflowConfig{
					IdempotencyKey: "n", RateLimit: &millrace.RateLimit{Key: "n", Limit: 1, Period: 60},
					Concurrency: &millrace.Concurrency{Key: "n", Limit: 1, OnConflict: millrace.ConflictSkip},
				},
				map[millrace.Outcome]int{"matched": each, "deduplicated": (nodes - 1) * each},
				each,
			},
		} {
			w := &millrace.Workflow{EnvironmentID: env, TriggerName: "custom:" + name, Event: "custom:" + name, Config: c.config}
			update(t, db, func(ctx context.Context, tx *store.Tx) error { return tx.Workflows().Create(ctx, w) })
			var group sync.WaitGroup
			var events []*millrace.Event
			for node := range nodes {
				var own []*millrace.Event
				for i := range each {
					payload := fmt.Sprintf(`{"n":%d}`, (i+node)%each) // in another order on each node
					own = append(own, &millrace.Event{EnvironmentID: env, Name: w.Event, Payload: json.RawMessage(payload)})
				}
				events = append(events, own...)
				task := batch(t, db, own...)
				for range 2 {
					group.Go(func() {
						if err := match(t.Context(), trigger.NewMatcher(trigger.MatcherConfig{DB: db}), task); err != nil {
							t.Error(err)
						}
					})
				}
			}
			group.Wait()
			checkOutcomes(t, db, name, events, c.want)
			err := db.View(t.Context(), func(tx *store.Tx) error {
				page, err := tx.WorkflowRuns().List(t.Context(), env, millrace.Query{Filters: []millrace.Filter{
					{Field: "workflow_id", Op: millrace.OpEq, Values: []string{string(w.ID)}},
				}})
				if len(page.Result) != c.runs {
					t.Errorf("%s: got %d runs, want %d", name, len(page.Result), c.runs)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

func checkOutcomes(t *testing.T, db *store.DB, name string, events []*millrace.Event, want map[millrace.Outcome]int) {
	t.Helper()
	got := map[millrace.Outcome]int{}
	for _, e := range events {
		err := db.View(t.Context(), func(tx *store.Tx) error {
			decisions, err := tx.Decisions().OfEvent(t.Context(), env, e.ID)
			for _, d := range decisions {
				got[d.Outcome]++
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: got outcomes %v, want %v", name, got, want)
	}
}
