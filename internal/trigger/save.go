package trigger

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/observe"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/workflow/control"
)

// The time that the statements of a chunk should take. When one takes longer, the next is smaller.
const (
	longChunk  = 3 * time.Millisecond
	shortChunk = longChunk / 3
)

// saved is what a transaction has done with a chunk.
type saved struct {
	kept     int              // so many of its decisions are stored
	spent    millrace.EventID // the event from outside that keeps the next one from being stored, or ""
	done     bool             // the batch is matched
	progress string
	took     time.Duration
}

// save stores the decisions of a chunk, as far as their events may cause runs, and reports whether the batch is matched.
func (w *matching) save(ctx context.Context, c *chunk) (bool, error) {
	if len(c.decisions) == 0 && !c.last {
		return false, nil
	}
	s, err := store.Compute(ctx, w.cfg.DB, func(tx *store.Tx) (*saved, error) {
		began := w.cfg.Clock()
		s, err := w.saveTx(ctx, tx, c)
		if err == nil {
			s.took = w.cfg.Clock().Sub(began)
		}
		return s, err
	})
	if err != nil {
		return false, err
	}
	switch {
	case s.took > longChunk:
		w.room = max(w.room/2, minRoom)
	case s.took < shortChunk:
		w.room = min(w.room*2, maxRoom)
	}
	w.observe(ctx, c.decisions[:s.kept])
	if s.kept > 0 {
		w.at, w.batch.Progress = c.decisions[s.kept-1].at, s.progress
	}
	if s.spent != "" {
		w.spent[s.spent] = true
	}
	return s.done, nil
}

// observe counts decisions that are stored.
func (w *matching) observe(ctx context.Context, stored []decided) {
	counts := map[millrace.Outcome]int64{}
	for i := range stored {
		counts[stored[i].Outcome]++
	}
	for outcome, n := range counts {
		w.cfg.Observe.Tell(ctx, observe.Fact{Kind: observe.Decision, Outcome: string(outcome), N: n})
	}
}

func (w *matching) saveTx(ctx context.Context, tx *store.Tx, c *chunk) (*saved, error) {
	left, counted, err := w.lockFanOut(ctx, tx, c)
	if err != nil {
		return nil, err
	}
	s := &saved{kept: len(c.decisions)}
	for i := range c.decisions {
		d := &c.decisions[i]
		if !d.matched() {
			continue
		}
		if left[d.root]--; left[d.root] < 0 {
			s.kept, s.spent = i, d.root
			break
		}
	}
	s.done = c.last && s.spent == ""
	if err := w.move(ctx, tx, c, s); err != nil {
		return nil, err
	}
	started, err := saveAll(ctx, tx, c.decisions[:s.kept])
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(started, func(root millrace.EventID, _ int64) bool { return !counted[root] })
	if err := tx.Events().AddFanOut(ctx, w.batch.EnvironmentID, started); err != nil || !s.done {
		return s, err
	}
	return s, tx.Finish(ctx)
}

// lockFanOut returns how many runs the events from outside may still cause to which a chunk's decisions lead, and which of
// them are counted. An event whose decisions are all in this chunk need not be: that what it causes begins to be counted with
// its first consequence saves the most frequent case two statements.
func (w *matching) lockFanOut(ctx context.Context, tx *store.Tx, c *chunk) (map[millrace.EventID]int64, map[millrace.EventID]bool, error) {
	left, counted := map[millrace.EventID]int64{}, map[millrace.EventID]bool{}
	whole := c.last && w.batch.Progress == ""
	matches := map[millrace.EventID]int64{}
	for i := range c.decisions {
		if d := &c.decisions[i]; d.matched() {
			matches[d.root]++
			left[d.root] = w.cfg.FanOut
			if !whole || d.root != d.EventID {
				counted[d.root] = true
			}
		}
	}
	for root, n := range matches {
		if n > w.cfg.FanOut {
			counted[root] = true
		}
	}
	runs, err := tx.Events().LockFanOut(ctx, w.batch.EnvironmentID, slices.Collect(maps.Keys(counted)))
	for root, n := range runs {
		left[root] -= n
	}
	return left, counted, err
}

// move records how far the batch has come, unless another worker has taken it over.
func (w *matching) move(ctx context.Context, tx *store.Tx, c *chunk, s *saved) error {
	if s.done {
		return tx.Events().FinishBatch(ctx, w.batch.ID)
	}
	if s.kept == 0 {
		return nil
	}
	text, err := json.Marshal(c.decisions[s.kept-1].at)
	if err != nil {
		return fmt.Errorf("encode progress: %w", err)
	}
	s.progress = string(text) //commit:allow what the same transaction returns
	moved, err := tx.Events().MoveBatch(ctx, w.batch.ID, w.batch.Progress, s.progress)
	if err == nil && !moved {
		err = millrace.Errorf(millrace.KindConflict, "batch %s is matched by another worker", w.batch.ID)
	}
	return err
}

// saveAll stores decisions and the runs of those that matched, and returns how many runs the events from outside have caused
// by that. What is there already stays unchanged.
func saveAll(ctx context.Context, tx *store.Tx, decisions []decided) (map[millrace.EventID]int64, error) {
	var locks []store.FlowLock
	for i := range decisions {
		locks = append(locks, store.FlowLocks(decisions[i].EnvironmentID, decisions[i].WorkflowID, decisions[i].keys.List()...)...)
	}
	if err := tx.Flow().Lock(ctx, locks); err != nil {
		return nil, err
	}
	tasks, err := savePlain(ctx, tx, decisions)
	if err != nil {
		return nil, err
	}
	for i := range decisions {
		d := &decisions[i]
		if !d.matched() || d.controls == nil {
			continue
		}
		some, err := control.Arrive(ctx, tx, &control.Arrival{Decision: &d.Decision, Config: d.controls, Keys: d.keys, Traceparent: d.trace})
		if err != nil {
			return nil, err
		}
		tasks = append(tasks, some...)
	}
	return started(decisions, tasks), tx.Enqueue(ctx, tasks...)
}

// started counts the tasks of new runs by the event from outside that has caused them.
func started(decisions []decided, tasks []millrace.Task) map[millrace.EventID]int64 {
	keys := make(map[string]bool, len(tasks))
	for _, t := range tasks {
		keys[t.Key] = true
	}
	out := map[millrace.EventID]int64{}
	for i := range decisions {
		if d := &decisions[i]; d.matched() && keys[string(d.WorkflowRunID)] {
			out[d.root]++
		}
	}
	return out
}

// savePlain stores the decisions in which flow control has no say, with their runs, and returns the tasks that follow.
func savePlain(ctx context.Context, tx *store.Tx, decisions []decided) ([]millrace.Task, error) {
	var plain []*millrace.Decision
	traces := map[millrace.EventID]string{}
	for i := range decisions {
		traces[decisions[i].EventID] = decisions[i].trace
		if d := decisions[i]; !d.matched() || d.controls == nil {
			plain = append(plain, &d.Decision) // a copy: the transaction may run more than once
		}
	}
	fresh, err := tx.Decisions().CreateAll(ctx, plain)
	if err != nil {
		return nil, err
	}
	var runs []*millrace.WorkflowRun
	for _, d := range fresh {
		if d.Outcome == millrace.OutcomeMatched {
			runs = append(runs, &millrace.WorkflowRun{
				ID: d.WorkflowRunID, EnvironmentID: d.EnvironmentID, WorkflowID: d.WorkflowID, WorkflowVersion: d.WorkflowVersion,
				EventID: d.EventID, Status: millrace.WorkflowRunCreated,
			})
		}
	}
	if runs, err = tx.WorkflowRuns().CreateNew(ctx, runs); err != nil {
		return nil, fmt.Errorf("store workflow runs: %w", err)
	}
	tasks := make([]millrace.Task, len(runs))
	for i, run := range runs {
		tasks[i] = millrace.Task{Kind: millrace.TaskWorkflow, Key: string(run.ID), Environment: run.EnvironmentID, Traceparent: traces[run.EventID]}
	}
	return tasks, nil
}
