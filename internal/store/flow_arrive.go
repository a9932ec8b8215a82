package store

import (
	"context"
	"fmt"

	"github.com/millrace/millrace"
)

// Arrival is an event that a workflow's run_if has let through, with what its flow control needs.
type Arrival struct {
	Decision *millrace.Decision // with the id of the run that there may be, and no outcome yet
	Config   *millrace.WorkflowConfig
	Keys     millrace.FlowKeys
}

// Arrive decides what becomes of an event and stores the decision, the run and what it changes about other runs. It
// returns the tasks that follow. The caller holds the locks of the keys. Event and workflow are the key that keeps an
// event from arriving twice.
func (tx *Tx) Arrive(ctx context.Context, a *Arrival) ([]millrace.Task, error) {
	d := *a.Decision // the transaction may be repeated
	var one int64
	if seen, err := tx.one(ctx, "SELECT 1 FROM decision WHERE event_id = $1 AND workflow_id = $2 AND environment_id = $3",
		[]any{string(d.EventID), string(d.WorkflowID), string(d.EnvironmentID)}, &one); err != nil || seen {
		return nil, err
	}
	run := &millrace.WorkflowRun{
		ID: d.WorkflowRunID, EnvironmentID: d.EnvironmentID, WorkflowID: d.WorkflowID, WorkflowVersion: d.WorkflowVersion,
		EventID: d.EventID, Status: millrace.WorkflowRunCreated, CreatedAt: tx.Now(),
		DebounceKey: a.Keys.Debounce, RateKey: a.Keys.RateLimit, ConcurrencyKey: a.Keys.Concurrency,
	}
	p, err := tx.receive(ctx, a, run)
	if err != nil {
		return nil, err
	}
	d.Outcome, d.WorkflowRunID, d.RunAt = p.outcome, p.run, p.runAt
	fresh, err := tx.InsertDecision(ctx, &d)
	if err != nil {
		return nil, fmt.Errorf("store decision: %w", err)
	}
	if !fresh { // its keys differ from one evaluation to the next, so that no lock has held us off
		return nil, millrace.Errorf(millrace.KindConflict, "event %s was decided meanwhile", d.EventID)
	}
	if p.run != run.ID {
		return p.tasks, nil
	}
	if err := tx.InsertWorkflowRun(ctx, run); err != nil {
		return nil, fmt.Errorf("store workflow run: %w", err)
	}
	task := millrace.Task{Kind: millrace.TaskWorkflow, Key: string(run.ID), At: run.RunAt.Std(), Environment: run.EnvironmentID}
	return append(p.tasks, task), tx.rememberKey(ctx, a.Keys.Idempotency, run)
}

// placed is what flow control has decided.
type placed struct {
	outcome millrace.Outcome
	run     millrace.WorkflowRunID // the one that the event has led to, which may be another event's
	runAt   millrace.Time
	tasks   []millrace.Task
}

// receive asks the controls in their order.
func (tx *Tx) receive(ctx context.Context, a *Arrival, run *millrace.WorkflowRun) (*placed, error) {
	earlier, err := tx.seenKey(ctx, run.EnvironmentID, a.Keys.Idempotency)
	if err != nil {
		return nil, err
	}
	if earlier != "" {
		return &placed{outcome: millrace.OutcomeDeduplicated, run: earlier}, nil
	}
	if a.Config.Debounce != nil {
		return tx.debounce(ctx, a, run)
	}
	return tx.place(ctx, a.Config, run)
}

// debounce makes a run that waits for more events, or hands the event to the one that waits. That one keeps its latest
// beginning, and never begins earlier than it was to, so that its task need not be hastened.
func (tx *Tx) debounce(ctx context.Context, a *Arrival, run *millrace.WorkflowRun) (*placed, error) {
	t := tx.db.tables.workflowRun
	at := run.CreatedAt.Add(a.Config.Debounce.Period.Duration())
	waiting, err := t.find(ctx, tx, "debounce_key = $1 AND environment_id = $2 AND waiting = 'debounce'"+tx.db.dialect.forUpdate(),
		run.DebounceKey, string(run.EnvironmentID))
	if err != nil {
		return nil, err
	}
	if waiting == nil {
		most := a.Config.Debounce.Max
		if most == 0 {
			most = millrace.MaxPeriod
		}
		run.Waiting, run.RunAt, run.RunBefore = millrace.WaitDebounce, at, run.CreatedAt.Add(most.Duration())
		return &placed{outcome: millrace.OutcomeDebounced, run: run.ID, runAt: at}, nil
	}
	waiting.EventID, waiting.WorkflowVersion = run.EventID, run.WorkflowVersion
	waiting.RateKey, waiting.ConcurrencyKey = run.RateKey, run.ConcurrencyKey
	waiting.RunAt = max(waiting.RunAt, min(at, waiting.RunBefore))
	if _, err := t.update(ctx, tx, waiting, ""); err != nil {
		return nil, err
	}
	return &placed{outcome: millrace.OutcomeDebounced, run: waiting.ID, runAt: waiting.RunAt}, tx.rememberKey(ctx, a.Keys.Idempotency, waiting)
}

// place finds the time at which a run may begin, and whether it may at all. Of a run that may not, nothing is changed.
func (tx *Tx) place(ctx context.Context, c *millrace.WorkflowConfig, run *millrace.WorkflowRun) (*placed, error) {
	p := &placed{outcome: millrace.OutcomeMatched, run: run.ID}
	now := tx.Now()
	run.Waiting, run.RunAt = millrace.WaitNone, 0
	if c.RateLimit != nil {
		at, err := tx.rateInstant(ctx, run, c.RateLimit, now)
		if err != nil {
			return nil, err
		}
		run.RateAt = at
		if at > now {
			p.outcome, run.Waiting, run.RunAt = millrace.OutcomeThrottled, millrace.WaitRateLimit, at
		}
	}
	if c.Concurrency != nil {
		going, err := tx.join(ctx, c.Concurrency, run, p)
		if err != nil || going != "" {
			return &placed{outcome: millrace.OutcomeSkipped, run: going}, err
		}
	}
	if c.Delay > 0 {
		run.RunAt = max(run.RunAt, now).Add(c.Delay.Duration())
		if run.Waiting == millrace.WaitNone {
			p.outcome, run.Waiting = millrace.OutcomeDelayed, millrace.WaitDelay
		}
	}
	p.runAt = run.RunAt
	return p, nil
}
