package trigger_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/observe"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
	"github.com/millrace/millrace/internal/trigger"
)

// hasty is a clock on which so much time passes between two looks that every task ends with its first chunk.
type hasty struct {
	mu  sync.Mutex
	now time.Time
}

func (h *hasty) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(time.Second)
	return h.now
}

func flows(t *testing.T, db *store.DB, conditions ...string) []*millrace.Workflow {
	t.Helper()
	var out []*millrace.Workflow
	update(t, db, func(ctx context.Context, tx *store.Tx) error {
		out = nil
		for i, condition := range conditions {
			w := &millrace.Workflow{
				EnvironmentID: env, Event: "custom:x", CreatedAt: millrace.Time(1000 + i/7), // some at the same time
				Config: millrace.WorkflowConfig{RunIf: condition},
			}
			if err := tx.Workflows().Create(ctx, w); err != nil {
				return err
			}
			out = append(out, w)
		}
		return nil
	})
	return out
}

func some(n int) []*millrace.Event {
	events := make([]*millrace.Event, n)
	for i := range events {
		events[i] = &millrace.Event{EnvironmentID: env, Name: "custom:x", Payload: json.RawMessage(fmt.Sprintf(`{"n":%d}`, i))}
	}
	return events
}

// decisions returns the outcomes of events by workflow, and fails when a match has no run or a run no match.
func decisions(t *testing.T, db *store.DB, events []*millrace.Event) map[millrace.WorkflowID][]millrace.Outcome {
	t.Helper()
	out := map[millrace.WorkflowID][]millrace.Outcome{}
	err := db.View(t.Context(), func(tx *store.Tx) error {
		for _, e := range events {
			list, err := tx.Decisions().OfEvent(t.Context(), e.EnvironmentID, e.ID)
			if err != nil {
				return err
			}
			for _, d := range list {
				out[d.WorkflowID] = append(out[d.WorkflowID], d.Outcome)
				run, err := tx.WorkflowRuns().ByID(t.Context(), d.WorkflowRunID)
				if err != nil || (run != nil) != (d.Outcome == millrace.OutcomeMatched) {
					t.Errorf("decision %s has run %v, %v", d.Outcome, run, err)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// match matches a batch, in as many tasks as that takes. What another worker has taken over is left to both.
func match(ctx context.Context, m *trigger.Matcher, task millrace.Task) error {
	for {
		err := m.Match(ctx, task)
		var again *millrace.RetryError
		if millrace.KindOf(err) == millrace.KindConflict || errors.As(err, &again) && again.Err == nil && again.After == 0 {
			continue
		}
		return err
	}
}

// drain matches a batch task by task, and calls between after each. It returns how many tasks that took.
func drain(t *testing.T, m *trigger.Matcher, task millrace.Task, between func(n int)) int {
	t.Helper()
	for n := 1; n < 10_000; n++ {
		err := m.Match(t.Context(), task)
		if err == nil {
			return n
		}
		var again *millrace.RetryError
		if !errors.As(err, &again) || again.Err != nil || again.After != 0 {
			t.Fatalf("task %d: got %v, want to go on", n, err)
		}
		between(n)
	}
	t.Fatal("does not come to an end")
	return 0
}

func TestALargeBatchGivesItsWorkerBack(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var conditions []string
		for i := range 230 {
			conditions = append(conditions, []string{"", "n < 2", "n > 99"}[i%3])
		}
		all := flows(t, db, conditions...)
		events := some(4)
		h := &hasty{now: time.Now()}
		m := trigger.NewMatcher(trigger.MatcherConfig{DB: db, Clock: h.clock})
		if n := drain(t, m, batch(t, db, events...), func(int) {}); n < 10 {
			t.Errorf("920 decisions took %d tasks, want many", n)
		}
		got := decisions(t, db, events)
		for i, w := range all {
			matched := 0
			for _, o := range got[w.ID] {
				if o == millrace.OutcomeMatched {
					matched++
				}
			}
			if want := []int{4, 2, 0}[i%3]; len(got[w.ID]) != 4 || matched != want {
				t.Errorf("workflow %d with %q decided %v, want 4 decisions, %d matched", i, w.Config.RunIf, got[w.ID], want)
			}
		}
		if got, want := len(storetest.Tasks(db)), 77*4+77*2; got != want {
			t.Errorf("got %d tasks, want %d, one for each run", got, want)
		}
	})
}

func TestWorkflowsChangeWhileABatchIsMatched(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		all := flows(t, db, make([]string, 30)...)
		events := some(10)
		h := &hasty{now: time.Now()}
		m := trigger.NewMatcher(trigger.MatcherConfig{DB: db, Clock: h.clock})
		late := &millrace.Workflow{EnvironmentID: env, Event: "custom:x", CreatedAt: millrace.TimeOf(time.Now().Add(time.Hour))}
		n := drain(t, m, batch(t, db, events...), func(n int) {
			if n > 1 {
				return
			}
			update(t, db, func(ctx context.Context, tx *store.Tx) error {
				all[28].Config.RunIf = "false"
				return errors.Join(tx.Workflows().Delete(ctx, env, all[29].ID), tx.Workflows().Update(ctx, all[28]), tx.Workflows().Create(ctx, late))
			})
		})
		got := decisions(t, db, events)
		if n < 2 || len(got) != 29 || got[all[29].ID] != nil || got[late.ID] != nil {
			t.Errorf("after %d tasks %d workflows have decided, want 29: not the one that was deleted, nor the one that was created later", n, len(got))
		}
		if changed := got[all[28].ID]; len(changed) != len(events) || changed[0] != millrace.OutcomeNotMatched {
			t.Errorf("the changed workflow decided %v, want not_matched: its condition is the one at the time", changed)
		}
	})
}

// failing is a queue that fails now and then.
type failing struct{ left int }

var errFailing = errors.New("no")

// Enqueue implements store.Queue.
func (f *failing) Enqueue(context.Context, *store.Tx, []millrace.Task) error {
	if f.left--; f.left == 0 {
		return errFailing
	}
	return nil
}

// Finish implements store.Queue.
func (f *failing) Finish(context.Context, *store.Tx) error { return nil }

func TestABatchGoesOnAfterAFailure(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		all := flows(t, db, make([]string, 60)...)
		events := some(3)
		task := batch(t, db, events...)
		q := &failing{}
		db.SetQueue(q)
		failures := 0
		for n := 2; ; n++ { // another process each time
			q.left = n
			h := &hasty{now: time.Now()}
			err := trigger.NewMatcher(trigger.MatcherConfig{DB: db, Clock: h.clock, FanOut: 1000}).Match(t.Context(), task)
			if err == nil {
				break
			}
			if errors.Is(err, errFailing) {
				failures++
			}
			q.left = 1
			if err := trigger.NewMatcher(trigger.MatcherConfig{DB: db}).Match(t.Context(), task); !errors.Is(err, errFailing) {
				t.Fatalf("got %v, want the failure", err)
			}
			failures++
		}
		got := decisions(t, db, events)
		if failures == 0 || len(got) != len(all) {
			t.Errorf("after %d failures %d workflows have decided, want all %d", failures, len(got), len(all))
		}
		for _, w := range all {
			if len(got[w.ID]) != len(events) {
				t.Errorf("workflow %s decided %v, want one decision for each event", w.ID, got[w.ID])
			}
		}
	})
}

func outcomes(got map[millrace.WorkflowID][]millrace.Outcome) map[millrace.Outcome]int {
	n := map[millrace.Outcome]int{}
	for _, list := range got {
		for _, o := range list {
			n[o]++
		}
	}
	return n
}

func TestFanOutIsBounded(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		flows(t, db, make([]string, 30)...)
		m := trigger.NewMatcher(trigger.MatcherConfig{DB: db, FanOut: 100})
		root := some(1)
		if err := match(t.Context(), m, batch(t, db, root...)); err != nil {
			t.Fatal(err)
		}
		if got := outcomes(decisions(t, db, root)); got[millrace.OutcomeMatched] != 30 {
			t.Fatalf("got %v, want 30 runs", got)
		}
		// Runs of the event cause further ones, which several nodes match at once.
		var caused []*millrace.Event
		var tasks []millrace.Task
		for range 4 {
			events := some(2)
			for _, e := range events {
				e.Depth, e.RootEventID = 1, root[0].ID
			}
			caused = append(caused, events...)
			tasks = append(tasks, batch(t, db, events...))
		}
		var group sync.WaitGroup
		for _, task := range tasks {
			group.Go(func() {
				if err := match(context.Background(), trigger.NewMatcher(trigger.MatcherConfig{DB: db, FanOut: 100}), task); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if got := outcomes(decisions(t, db, caused)); got[millrace.OutcomeMatched] != 70 || got[millrace.OutcomeLimit] != 8*30-70 {
			t.Errorf("got %v, want the 70 runs that were left, and a limit for the rest", got)
		}
		// Another event is another matter, also when it wakes more workflows than there may be runs.
		observed := map[string]int64{}
		tight := trigger.NewMatcher(trigger.MatcherConfig{
			DB: db, FanOut: 25, Observe: func(_ context.Context, f observe.Fact) { observed[f.Outcome] += f.N },
		})
		other := some(2)
		if err := match(t.Context(), tight, batch(t, db, other...)); err != nil {
			t.Fatal(err)
		}
		if got := outcomes(decisions(t, db, other)); got[millrace.OutcomeMatched] != 50 || got[millrace.OutcomeLimit] != 10 {
			t.Errorf("got %v, want 25 runs of each event", got)
		}
		if diff := cmp.Diff(map[string]int64{string(millrace.OutcomeMatched): 50, string(millrace.OutcomeLimit): 10}, observed); diff != "" {
			t.Errorf("observed (-want +got):\n%s", diff)
		}
		says(t, db, other[0], "fan_out_limit", string(other[0].ID)+" has caused 25 workflow runs")
	})
}

// says checks what the decisions say that ran into a limit.
func says(t *testing.T, db *store.DB, e *millrace.Event, code, text string) {
	t.Helper()
	err := db.View(t.Context(), func(tx *store.Tx) error {
		list, err := tx.Decisions().OfEvent(t.Context(), env, e.ID)
		limits := 0
		for _, d := range list {
			if d.Outcome != millrace.OutcomeLimit {
				continue
			}
			limits++
			var f millrace.Failure
			if err := json.Unmarshal(d.Error, &f); err != nil || f.Code != code || !strings.Contains(f.Message, text) {
				t.Errorf("got %s, want %s: %q", d.Error, code, text)
			}
		}
		if limits == 0 {
			t.Error("no decision ran into a limit")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// still is a clock that the test moves.
type still struct {
	mu  sync.Mutex
	now time.Time
}

func (s *still) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *still) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

func TestConditionsWaitForTheirBudget(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		flows(t, db, "n = 0", "n = 1")
		s := &still{now: time.Now()}
		budget := expr.NewBudget(500*time.Millisecond, s.clock)
		m := trigger.NewMatcher(trigger.MatcherConfig{DB: db, Clock: s.clock, Budget: budget})
		events := some(2)
		task := batch(t, db, events...)
		budget.Use(env, func() { s.pass(2 * time.Second) }) // one second more than there is
		err := m.Match(t.Context(), task)
		var again *millrace.RetryError
		if !errors.As(err, &again) || again.After < time.Second || again.After > 5*time.Second {
			t.Fatalf("got %v, want to wait some seconds", err)
		}
		if got := decisions(t, db, events); len(got) > 0 {
			t.Errorf("got %v, want no decisions yet", got)
		}
		s.pass(again.After)
		if err := m.Match(t.Context(), task); err != nil {
			t.Fatal(err)
		}
		if got := outcomes(decisions(t, db, events)); got[millrace.OutcomeMatched] != 2 || got[millrace.OutcomeNotMatched] != 2 {
			t.Errorf("got %v, want all decisions", got)
		}
	})
}
