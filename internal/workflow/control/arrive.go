package control

import (
	"context"
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// Arrival is an event that a workflow's run_if has let through, with what its flow control needs.
type Arrival struct {
	Decision    *millrace.Decision // with the id of the run that there may be, and no outcome yet
	Config      *millrace.WorkflowConfig
	Keys        millrace.FlowKeys
	Traceparent string // of the event
}

// Arrive decides what becomes of an event and stores the decision, the run and what it changes about other runs. It
// returns the tasks that follow. The caller holds the locks of the keys. Event and workflow are the key that keeps an
// event from arriving twice.
func Arrive(ctx context.Context, tx *store.Tx, a *Arrival) ([]millrace.Task, error) {
	d := *a.Decision // the transaction may be repeated
	if seen, err := tx.Decisions().Arrived(ctx, &d); err != nil || seen {
		return nil, err
	}
	p, err := receive(ctx, tx, a, millrace.WorkflowRun{
		ID: d.WorkflowRunID, EnvironmentID: d.EnvironmentID, WorkflowID: d.WorkflowID, WorkflowVersion: d.WorkflowVersion,
		EventID: d.EventID, Status: millrace.WorkflowRunCreated, CreatedAt: tx.Now(),
		DebounceKey: a.Keys.Debounce, RateKey: a.Keys.RateLimit, ConcurrencyKey: a.Keys.Concurrency,
	})
	if err != nil {
		return nil, err
	}
	tasks, err := supersede(ctx, tx, &p)
	if err != nil {
		return nil, err
	}
	d.Outcome, d.WorkflowRunID, d.RunAt = p.outcome, p.led, p.runAt
	fresh, err := tx.Decisions().Create(ctx, &d)
	if err != nil {
		return nil, fmt.Errorf("store decision: %w", err)
	}
	if !fresh { // its keys differ from one evaluation to the next, so that no lock has held us off
		return nil, millrace.Errorf(millrace.KindConflict, "event %s was decided meanwhile", d.EventID)
	}
	if p.led != p.run.ID {
		return tasks, nil
	}
	if err := tx.WorkflowRuns().Create(ctx, &p.run); err != nil {
		return nil, fmt.Errorf("store workflow run: %w", err)
	}
	task := millrace.Task{
		Kind: millrace.TaskWorkflow, Key: string(p.run.ID), At: p.run.RunAt.Std(), Environment: p.run.EnvironmentID, Traceparent: a.Traceparent,
	}
	return append(tasks, task), rememberKey(ctx, tx, a.Keys.Idempotency, &p.run)
}

// receive asks the controls in their order.
func receive(ctx context.Context, tx *store.Tx, a *Arrival, run millrace.WorkflowRun) (placed, error) {
	if a.Keys.Idempotency != "" {
		earlier, err := tx.Flow().SeenKey(ctx, run.EnvironmentID, a.Keys.Idempotency, tx.Now().Add(-millrace.KeepWorkflowKey))
		if err != nil || earlier != "" {
			return placed{outcome: millrace.OutcomeDeduplicated, run: run, led: earlier}, err
		}
	}
	if a.Config.Debounce != nil {
		return debounce(ctx, tx, a, run)
	}
	f, err := read(ctx, tx, a.Config, &run)
	return place(a.Config, run, f), err
}

// debounce makes a run that waits for more events, or hands the event to the one that waits.
func debounce(ctx context.Context, tx *store.Tx, a *Arrival, run millrace.WorkflowRun) (placed, error) {
	waiting, err := tx.Flow().DebouncedRun(ctx, run.EnvironmentID, run.DebounceKey)
	if err != nil {
		return placed{}, err
	}
	if waiting == nil {
		run = postponed(a.Config.Debounce, run)
		return placed{outcome: millrace.OutcomeDebounced, run: run, led: run.ID, runAt: run.RunAt}, nil
	}
	taken := takeOver(a.Config.Debounce, *waiting, &run)
	if err := tx.Flow().SaveRun(ctx, &taken); err != nil {
		return placed{}, err
	}
	p := placed{outcome: millrace.OutcomeDebounced, run: run, led: taken.ID, runAt: taken.RunAt}
	return p, rememberKey(ctx, tx, a.Keys.Idempotency, &taken)
}

func rememberKey(ctx context.Context, tx *store.Tx, key string, run *millrace.WorkflowRun) error {
	if key == "" {
		return nil
	}
	return tx.Flow().RememberKey(ctx, key, run)
}

// read reads what the controls of a run count, as far as they ask for it.
func read(ctx context.Context, tx *store.Tx, c *millrace.WorkflowConfig, run *millrace.WorkflowRun) (counted, error) {
	f := counted{now: tx.Now()}
	var err error
	if c.RateLimit != nil {
		if f.rate, err = tx.Flow().RateTime(ctx, run, c.RateLimit.Limit); err != nil {
			return f, err
		}
	}
	if c.Concurrency != nil && c.Concurrency.OnConflict != millrace.ConflictQueue {
		f.open, err = tx.Flow().SlotHolders(ctx, run)
	}
	return f, err
}

// supersede cancels the runs that make way for another and returns their tasks, which stop the sync job runs that they have started
// and then leave their slots.
func supersede(ctx context.Context, tx *store.Tx, p *placed) ([]millrace.Task, error) {
	var tasks []millrace.Task
	for i := range p.ousted {
		run, err := superseded(p.ousted[i], p.run.ID, tx.Now())
		if err != nil {
			return nil, err
		}
		if err := tx.Flow().SaveRun(ctx, &run); err != nil {
			return nil, err
		}
		if err := tx.Decisions().Cancel(ctx, &run, p.run.ID); err != nil {
			return nil, err
		}
		tasks = append(tasks, millrace.Task{Kind: millrace.TaskWorkflow, Key: string(run.ID), Wake: true, Environment: run.EnvironmentID})
	}
	return tasks, nil
}
