package workflow_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
	"github.com/millrace/millrace/internal/trigger"
	"github.com/millrace/millrace/internal/workflow"
)

// clockwork is a store whose clock and queue the test turns. A task of a kind and key is live once, as in the real queue.
type clockwork struct {
	db      *store.DB
	mu      sync.Mutex
	now     time.Time
	live    map[string]time.Time // tasks of workflow runs, by key
	running string
	runner  *workflow.Runner
	matcher *trigger.Matcher
}

func newClockwork(t *testing.T, url string) *clockwork {
	t.Helper()
	c := &clockwork{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), live: map[string]time.Time{}}
	var err error
	c.db, err = store.Open(t.Context(), store.Config{URL: url, Cipher: storetest.Cipher{}, Clock: c.clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.db.Close() })
	c.db.SetQueue(c)
	c.runner, c.matcher = workflow.NewRunner(c.db, nil), trigger.NewMatcher(trigger.MatcherConfig{DB: c.db, Clock: c.clock})
	err = c.db.Update(t.Context(), func(tx *store.Tx) error {
		return tx.SyncJobs().Create(t.Context(), &millrace.SyncJob{ID: job, EnvironmentID: env})
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *clockwork) clock() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Microsecond) // no two moments are the same
	return c.now
}

func (c *clockwork) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Enqueue implements store.Queue.
func (c *clockwork) Enqueue(_ context.Context, tx *store.Tx, tasks []millrace.Task) error {
	tx.AfterCommit(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, task := range tasks {
			if _, live := c.live[task.Key]; task.Kind == millrace.TaskWorkflow && (!live || task.Wake && task.Key != c.running) {
				c.live[task.Key] = task.At
			}
		}
	})
	return nil
}

// Finish implements store.Queue.
func (c *clockwork) Finish(_ context.Context, tx *store.Tx) error {
	tx.AfterCommit(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.live, c.running)
		c.running = ""
	})
	return nil
}

// due returns the tasks whose time has come, and the time of the next one.
func (c *clockwork) due() ([]string, time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var keys []string
	var next time.Time
	for key, at := range c.live {
		if !at.After(c.now) {
			keys = append(keys, key)
		} else if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	slices.Sort(keys)
	return keys, next
}

// work runs one task, as a worker of the queue would.
func (c *clockwork) work(rt *rapid.T, key string) {
	c.mu.Lock()
	c.running = key
	c.mu.Unlock()
	err := c.runner.Run(context.Background(), millrace.Task{Kind: millrace.TaskWorkflow, Key: key, Attempt: 1})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = ""
	var retry *millrace.RetryError
	switch {
	case errors.As(err, &retry):
		c.live[key] = c.now.Add(retry.After)
	case err != nil:
		rt.Fatal(err)
	}
}

// lose forgets all tasks, and wakes what the pass over open work finds, as after a disaster.
func (c *clockwork) lose(rt *rapid.T) {
	err := c.db.View(context.Background(), func(tx *store.Tx) error {
		tasks, err := tx.Tasks().Open(context.Background())
		c.mu.Lock()
		defer c.mu.Unlock()
		clear(c.live)
		for _, task := range tasks {
			if task.Kind == millrace.TaskWorkflow {
				c.live[task.Key] = time.Time{}
			}
		}
		return err
	})
	if err != nil {
		rt.Fatal(err)
	}
}

// trial is one workflow with random controls, and what has happened to it.
type trial struct {
	*clockwork
	rt     *rapid.T
	w      *millrace.Workflow
	events []*millrace.Event
	about  map[millrace.EventID][2]string // key and idempotency key
}

func drawControls(rt *rapid.T) millrace.WorkflowConfig {
	seconds := func(name string) millrace.Period { return millrace.Period(rapid.IntRange(1, 60).Draw(rt, name)) }
	c := millrace.WorkflowConfig{Steps: []millrace.Step{{
		Type: "run", Action: millrace.ActionRunSyncJob, Config: json.RawMessage(`{"sync_job_id":"` + string(job) + `"}`),
	}}}
	if rapid.Bool().Draw(rt, "idempotency") {
		c.IdempotencyKey = "once"
	}
	if rapid.Bool().Draw(rt, "debounce") {
		period := seconds("debounce.period")
		c.Debounce = &millrace.Debounce{Key: "key", Period: period, Max: period + seconds("debounce.more")}
	}
	if rapid.Bool().Draw(rt, "rate") {
		c.RateLimit = &millrace.RateLimit{Key: "key", Limit: rapid.Int64Range(1, 3).Draw(rt, "rate.limit"), Period: seconds("rate.period")}
	}
	if rapid.Bool().Draw(rt, "concurrency") {
		policies := []millrace.OnConflict{millrace.ConflictQueue, millrace.ConflictSkip, millrace.ConflictCancelRunning}
		c.Concurrency = &millrace.Concurrency{
			Key: "key", Limit: rapid.Int64Range(1, 3).Draw(rt, "concurrency.limit"), OnConflict: rapid.SampledFrom(policies).Draw(rt, "on_conflict"),
		}
	}
	if rapid.Bool().Draw(rt, "delayed") {
		c.Delay = seconds("delay")
	}
	return c
}

func (r *trial) update(fn func(ctx context.Context, tx *store.Tx) error) {
	r.rt.Helper()
	ctx := context.Background()
	if err := r.db.Update(ctx, func(tx *store.Tx) error { return fn(ctx, tx) }); err != nil {
		r.rt.Fatal(err)
	}
}

// arrive stores some events in one batch and matches it, perhaps twice.
func (r *trial) arrive() {
	id := millrace.NewID[millrace.BatchID]()
	for range rapid.IntRange(1, 3).Draw(r.rt, "events") {
		key, once := rapid.SampledFrom([]string{"a", "b"}).Draw(r.rt, "key"), rapid.SampledFrom([]string{"", "x", "y", "z"}).Draw(r.rt, "once")
		e := &millrace.Event{
			EnvironmentID: env, Name: "custom:x", BatchID: id, Payload: json.RawMessage(fmt.Sprintf(`{"key":%q,"once":%q}`, key, once)),
		}
		r.update(func(ctx context.Context, tx *store.Tx) error { _, err := tx.Events().Create(ctx, e); return err })
		r.events = append(r.events, e)
		r.about[e.ID] = [2]string{key, once}
	}
	r.update(func(ctx context.Context, tx *store.Tx) error { return tx.Events().CreateBatch(ctx, env, id) })
	for range rapid.IntRange(1, 2).Draw(r.rt, "matches") {
		if err := r.matcher.Match(context.Background(), millrace.Task{Kind: millrace.TaskMatch, Key: string(id)}); err != nil {
			r.rt.Fatal(err)
		}
	}
}

// syncs returns the sync job runs that have not ended, by workflow run.
func (r *trial) syncs() map[millrace.WorkflowRunID]millrace.SyncJobRunID {
	open := map[millrace.WorkflowRunID]millrace.SyncJobRunID{}
	err := r.db.View(context.Background(), func(tx *store.Tx) error {
		page, err := tx.SyncJobRuns().List(context.Background(), env, millrace.Query{Filters: []millrace.Filter{{Field: "status", Op: millrace.OpEq, Values: []string{"created"}}}})
		for _, s := range page.Result {
			open[s.WorkflowRunID] = s.ID
		}
		return err
	})
	if err != nil {
		r.rt.Fatal(err)
	}
	return open
}

// endSync ends a sync job run, as its slice would.
func (r *trial) endSync(id millrace.SyncJobRunID) {
	r.update(func(ctx context.Context, tx *store.Tx) error {
		run, err := tx.SyncJobRuns().Lock(ctx, env, id)
		if err != nil {
			return err
		}
		run.Status = millrace.RunCompleted
		return tx.SyncJobRuns().Update(ctx, run)
	})
}

func (r *trial) step() {
	switch rapid.SampledFrom([]string{"arrive", "arrive", "wait", "work", "work", "end", "lose"}).Draw(r.rt, "step") {
	case "arrive":
		r.arrive()
	case "wait":
		r.pass(time.Duration(rapid.IntRange(1, 40).Draw(r.rt, "seconds")) * time.Second)
	case "work":
		if keys, _ := r.due(); len(keys) > 0 {
			r.work(r.rt, rapid.SampledFrom(keys).Draw(r.rt, "task"))
		}
	case "end":
		var ids []millrace.SyncJobRunID
		for _, id := range r.syncs() {
			ids = append(ids, id)
		}
		if slices.Sort(ids); len(ids) > 0 {
			r.endSync(rapid.SampledFrom(ids).Draw(r.rt, "sync"))
		}
	case "lose":
		r.lose(r.rt)
	}
}

func (r *trial) runs() []millrace.WorkflowRun {
	var out []millrace.WorkflowRun
	err := r.db.View(context.Background(), func(tx *store.Tx) error {
		page, err := tx.WorkflowRuns().List(context.Background(), env, millrace.Query{
			Filters: []millrace.Filter{{Field: "workflow_id", Op: millrace.OpEq, Values: []string{string(r.w.ID)}}},
			Sort:    []millrace.Sort{{Field: "created_at"}},
		})
		out = page.Result
		return err
	})
	if err != nil {
		r.rt.Fatal(err)
	}
	return out
}

// checkSlots checks that no more runs go than may.
func (r *trial) checkSlots() {
	c := r.w.Config.Concurrency
	if c == nil {
		return
	}
	open, going := r.syncs(), map[string]int64{}
	for _, run := range r.runs() {
		if _, syncs := open[run.ID]; syncs || run.Status == millrace.WorkflowRunRunning {
			going[run.ConcurrencyKey]++
		}
	}
	for key, n := range going {
		if n > c.Limit {
			r.rt.Fatalf("%d runs of key %s go, and %d is the limit", n, key, c.Limit)
		}
	}
}

// drain lets everything come to its end.
func (r *trial) drain() {
	for range 2000 {
		open := r.syncs()
		for _, id := range open {
			r.endSync(id)
		}
		keys, next := r.due()
		for _, key := range keys {
			r.work(r.rt, key)
		}
		r.checkSlots()
		if len(open)+len(keys) > 0 {
			continue
		}
		if next.IsZero() && !r.overdue() {
			return
		}
		if !next.IsZero() {
			r.mu.Lock()
			r.now = next
			r.mu.Unlock()
		}
	}
	r.rt.Fatal("does not come to an end")
}

// overdue passes time until a run that waits and has lost its task is found by the pass over open work, and reports
// whether there is one.
func (r *trial) overdue() bool {
	for _, run := range r.runs() {
		if !run.Status.Finished() {
			r.pass(max(run.RunAt.Std().Sub(r.clock()), 0))
			r.lose(r.rt)
			return true
		}
	}
	return false
}

// check compares the end with what the controls promise.
func (r *trial) check() {
	runs := map[millrace.WorkflowRunID]*millrace.WorkflowRun{}
	rates := map[string][]millrace.Time{}
	all := r.runs()
	for i := range all {
		run := &all[i]
		runs[run.ID] = run
		if run.RateAt != 0 && strings.Contains(string(run.Error), `"skipped"`) {
			r.rt.Errorf("run %s was skipped and counts for the rate limit", run.ID)
		}
		if run.RateAt != 0 {
			rates[run.RateKey] = append(rates[run.RateKey], run.RateAt)
		}
		if !run.Status.Finished() || run.Slot != millrace.SlotNone || run.Waiting != millrace.WaitNone {
			r.rt.Errorf("run %+v has not come to its end", run)
		}
		if c := r.w.Config.Concurrency; run.Status == millrace.WorkflowRunCancelled && (c == nil || c.OnConflict == millrace.ConflictQueue) {
			r.rt.Errorf("run %s was cancelled: %s", run.ID, run.Error)
		}
		if run.Status == millrace.WorkflowRunCompleted && run.StartedAt < max(run.RateAt, run.CreatedAt).Add(r.w.Config.Delay.Duration()) {
			r.rt.Errorf("run %+v began too early", run)
		}
	}
	for key, at := range rates {
		slices.Sort(at)
		for i := range len(at) - int(r.w.Config.RateLimit.Limit) {
			if last := at[i+int(r.w.Config.RateLimit.Limit)]; last < at[i].Add(r.w.Config.RateLimit.Period.Duration()) {
				r.rt.Errorf("key %s: too many between %s and %s", key, at[i], last)
			}
		}
	}
	r.checkDecisions(runs)
}

func (r *trial) checkDecisions(runs map[millrace.WorkflowRunID]*millrace.WorkflowRun) {
	seen := map[string]bool{}                         // idempotency keys that have made a run
	groups := map[millrace.WorkflowRunID][]int{}      // events of a debounced run
	latest := map[string]*millrace.WorkflowRun{}      // the debounced run of a key
	due := map[millrace.WorkflowRunID]millrace.Time{} // when a debounced run may begin
	owned := map[millrace.WorkflowRunID]bool{}        // runs that a decision names as the event's own
	c := r.w.Config
	for i, e := range r.events {
		d := r.decision(e)
		key, once := r.about[e.ID][0], r.about[e.ID][1]
		if c.IdempotencyKey == "" {
			once = ""
		}
		if (d.Outcome == millrace.OutcomeDeduplicated) != (once != "" && seen[once]) {
			r.rt.Errorf("event %d with key %q is %s, known keys %v", i, once, d.Outcome, seen)
		}
		if runs[d.WorkflowRunID] == nil {
			r.rt.Errorf("event %d: decision %+v names no run", i, d)
			continue
		}
		run := runs[d.WorkflowRunID]
		outcome := d.Outcome
		if outcome == millrace.OutcomeCancelled && c.Debounce != nil {
			outcome = millrace.OutcomeDebounced // as it was before a later run cancelled the one that it led to
		}
		switch outcome { //nolint:exhaustive // the others are like a match here
		case millrace.OutcomeDeduplicated:
			continue
		case millrace.OutcomeSkipped:
			if c.Debounce == nil {
				continue
			}
		case millrace.OutcomeDebounced:
			if last := latest[key]; last != nil && last != run && e.CreatedAt < due[last.ID] {
				r.rt.Errorf("event %d has a run of its own although %s was not due before %s", i, last.ID, due[last.ID])
			}
			latest[key] = run
			groups[run.ID] = append(groups[run.ID], i)
			first := r.events[groups[run.ID][0]].CreatedAt
			due[run.ID] = max(due[run.ID], min(e.CreatedAt.Add(c.Debounce.Period.Duration()), first.Add(c.Debounce.Max.Duration())))
		default:
			owned[run.ID] = true
		}
		if once != "" {
			seen[once] = true
		}
	}
	for id, events := range groups {
		last := r.events[events[len(events)-1]]
		if run := runs[id]; run.Status == millrace.WorkflowRunCompleted && (run.EventID != last.ID || run.StartedAt < due[id]) {
			r.rt.Errorf("run %+v of the events %v: want the last event, and not before %s", run, events, due[id])
		}
	}
	if c.Debounce == nil && len(owned) != len(runs) {
		r.rt.Errorf("%d runs, of which decisions own %d", len(runs), len(owned))
	}
}

func (r *trial) decision(e *millrace.Event) millrace.Decision {
	var out millrace.Decision
	err := r.db.View(context.Background(), func(tx *store.Tx) error {
		ds, err := tx.Decisions().OfEvent(context.Background(), env, e.ID)
		if err == nil && len(ds) != 1 {
			err = fmt.Errorf("got %d decisions about %s, want 1", len(ds), e.ID)
		}
		if err == nil {
			out = ds[0]
		}
		return err
	})
	if err != nil {
		r.rt.Fatal(err)
	}
	return out
}

// Whatever the controls, the order of tasks, lost tasks and repeated ones: the controls keep what they promise, and
// everything comes to its end.
func TestControlsKeepTheirPromises(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		c := newClockwork(t, url)
		rapid.Check(t, func(rt *rapid.T) {
			r := &trial{clockwork: c, rt: rt, about: map[millrace.EventID][2]string{}}
			r.w = &millrace.Workflow{EnvironmentID: env, TriggerName: "custom:x", Event: "custom:x", Config: drawControls(rt)}
			r.update(func(ctx context.Context, tx *store.Tx) error { r.w.ID = ""; return tx.Workflows().Create(ctx, r.w) })
			for range rapid.IntRange(3, 15).Draw(rt, "steps") {
				r.step()
				r.checkSlots()
			}
			r.drain()
			r.check()
			r.update(func(ctx context.Context, tx *store.Tx) error { return tx.Workflows().Delete(ctx, env, r.w.ID) })
		})
	})
}
