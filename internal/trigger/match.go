// Package trigger decides which workflows an event wakes: the second hop of the data. It also fires schedules (Ticker).
//
// A match task names a batch of events that were stored together. For every event and every workflow of its
// environment that listens to it, the workflow's run_if is evaluated and one decision row is stored: matched,
// not_matched, error or limit, with the version of the workflow. A match also stores the workflow run and the task
// that starts it. All rows of a batch and the end of its task are one transaction. In it, the flow control of a workflow
// (store.Tx.Arrive) may say of a match that its run begins later, that there is none, or that another event's stands for it.
//
// Nothing is lost in a crash: the batch stays until its decisions are stored. Nothing happens twice: event and
// workflow are the key of the decision and of the run, and the run's id follows from them.
package trigger

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/store"
)

// maxDepth bounds how many workflow runs may lead to an event, so that a workflow that causes its own trigger ends.
const maxDepth = 8

// Matcher decides about events.
type Matcher struct{ db *store.DB }

// NewMatcher returns a matcher over a store.
func NewMatcher(db *store.DB) *Matcher { return &Matcher{db: db} }

// Match decides about the events of the batch that a task names.
func (m *Matcher) Match(ctx context.Context, task millrace.Task) error {
	batch := millrace.BatchID(task.Key)
	work, err := m.load(ctx, batch)
	if err != nil {
		return err
	}
	var decisions []decided
	for i := range work.events {
		some, err := work.decide(ctx, &work.events[i])
		if err != nil {
			return err
		}
		decisions = append(decisions, some...)
	}
	return m.db.Update(ctx, func(tx *store.Tx) error {
		if err := save(ctx, tx, decisions); err != nil {
			return err
		}
		if err := tx.MarkBatchMatched(ctx, batch); err != nil {
			return fmt.Errorf("end batch: %w", err)
		}
		return tx.Finish(ctx)
	})
}

type listener struct {
	env   millrace.EnvironmentID
	event string
}

// load is all that deciding about a batch needs, so that expressions run outside of any transaction.
type load struct {
	events    []millrace.Event
	workflows map[listener][]millrace.Workflow
	accounts  map[millrace.IntegratedAccountID]json.RawMessage
	causes    map[millrace.EventID][]millrace.Cause // of events that are too deep
	decoded   map[millrace.EventID]*expr.Occurrence
}

func (m *Matcher) load(ctx context.Context, batch millrace.BatchID) (*load, error) {
	l := &load{
		workflows: map[listener][]millrace.Workflow{},
		accounts:  map[millrace.IntegratedAccountID]json.RawMessage{},
		causes:    map[millrace.EventID][]millrace.Cause{},
		decoded:   map[millrace.EventID]*expr.Occurrence{},
	}
	err := m.db.View(ctx, func(tx *store.Tx) error {
		var err error
		if l.events, err = tx.BatchEvents(ctx, batch); err != nil {
			return fmt.Errorf("read batch: %w", err)
		}
		for i := range l.events {
			if err := l.add(ctx, tx, &l.events[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return l, err
}

func (l *load) add(ctx context.Context, tx *store.Tx, e *millrace.Event) error {
	key := listener{e.EnvironmentID, e.Name}
	if _, known := l.workflows[key]; !known {
		found, err := tx.WorkflowsByEvent(ctx, e.EnvironmentID, e.Name)
		if err != nil {
			return err
		}
		l.workflows[key] = found
	}
	if e.Depth >= maxDepth {
		var err error
		if l.causes[e.ID], err = tx.CausesOf(ctx, e); err != nil {
			return err
		}
	}
	o, err := expr.NewOccurrence(e)
	if err != nil {
		return millrace.Permanent(err)
	}
	l.decoded[e.ID] = o
	id := o.AccountID()
	if id == "" {
		return nil
	}
	if _, known := l.accounts[id]; !known {
		account, err := tx.IntegratedAccount(ctx, e.EnvironmentID, id)
		switch {
		case millrace.KindOf(err) == millrace.KindNotFound:
			l.accounts[id] = nil
		case err != nil:
			return err
		default:
			l.accounts[id] = account.Context
		}
	}
	if public := l.accounts[id]; public != nil {
		return o.SetAccountContext(public)
	}
	return nil
}

// decided is a decision. When run_if holds and the workflow has flow control, that has the last word, in the transaction.
type decided struct {
	millrace.Decision
	controls *millrace.WorkflowConfig // nil: there are none
	keys     millrace.FlowKeys
}

func (l *load) decide(ctx context.Context, e *millrace.Event) ([]decided, error) {
	var out []decided
	scope := l.decoded[e.ID].Scope()
	for _, w := range l.workflows[listener{e.EnvironmentID, e.Name}] {
		d := decided{Decision: millrace.Decision{EventID: e.ID, EnvironmentID: e.EnvironmentID, WorkflowID: w.ID, WorkflowVersion: w.Version}}
		var failure *millrace.Failure
		d.Outcome, failure = l.outcome(ctx, e, &w, scope)
		if d.Outcome == millrace.OutcomeMatched && w.Config.Controlled() {
			failure = d.control(ctx, &w, scope)
		}
		if err := context.Cause(ctx); err != nil {
			return nil, err // we were stopped; that says nothing about the expression
		}
		if failure != nil {
			var err error
			if d.Error, err = json.Marshal(failure); err != nil {
				return nil, fmt.Errorf("encode decision: %w", err)
			}
		}
		if d.Outcome == millrace.OutcomeMatched {
			d.WorkflowRunID = millrace.DeriveID[millrace.WorkflowRunID](string(e.ID), string(w.ID))
		}
		out = append(out, d)
	}
	return out, nil
}

func (l *load) outcome(ctx context.Context, e *millrace.Event, w *millrace.Workflow, scope expr.Value) (millrace.Outcome, *millrace.Failure) {
	if e.Depth >= maxDepth {
		failure := tooDeep(e, l.causes[e.ID])
		return millrace.OutcomeLimit, &failure
	}
	if w.Config.RunIf == "" {
		return millrace.OutcomeMatched, nil
	}
	program, err := expr.Compile(w.Config.RunIf)
	if err == nil {
		var holds bool
		if holds, err = program.Test(ctx, scope); err == nil {
			if holds {
				return millrace.OutcomeMatched, nil
			}
			return millrace.OutcomeNotMatched, nil
		}
	}
	failure := expr.FailureOf("config.run_if", err)
	if expr.IsLimit(err) {
		return millrace.OutcomeLimit, &failure
	}
	return millrace.OutcomeError, &failure
}

// save stores decisions and the runs of those that matched. What is there already stays as it is.
func save(ctx context.Context, tx *store.Tx, decisions []decided) error {
	var locks []store.FlowLock
	for i := range decisions {
		locks = append(locks, store.FlowLocks(decisions[i].WorkflowID, decisions[i].keys.List()...)...)
	}
	if err := tx.LockFlow(ctx, locks); err != nil {
		return err
	}
	var tasks []millrace.Task
	for i := range decisions {
		some, err := saveOne(ctx, tx, &decisions[i])
		if err != nil {
			return err
		}
		tasks = append(tasks, some...)
	}
	return tx.Enqueue(ctx, tasks...)
}

// saveOne stores a decision and what follows from it, and returns the tasks that follow.
func saveOne(ctx context.Context, tx *store.Tx, d *decided) ([]millrace.Task, error) {
	if d.Outcome == millrace.OutcomeMatched && d.controls != nil {
		return tx.Arrive(ctx, &store.Arrival{Decision: &d.Decision, Config: d.controls, Keys: d.keys})
	}
	fresh, err := tx.InsertDecision(ctx, &d.Decision)
	if err != nil {
		return nil, fmt.Errorf("store decision: %w", err)
	}
	if !fresh || d.Outcome != millrace.OutcomeMatched {
		return nil, nil
	}
	fresh, err = tx.InsertNewWorkflowRun(ctx, &millrace.WorkflowRun{
		ID: d.WorkflowRunID, EnvironmentID: d.EnvironmentID, WorkflowID: d.WorkflowID, WorkflowVersion: d.WorkflowVersion,
		EventID: d.EventID, Status: millrace.WorkflowRunCreated,
	})
	if err != nil {
		return nil, fmt.Errorf("store workflow run: %w", err)
	}
	if !fresh {
		return nil, nil
	}
	return []millrace.Task{{Kind: millrace.TaskWorkflow, Key: string(d.WorkflowRunID), Environment: d.EnvironmentID}}, nil
}
