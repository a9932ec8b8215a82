// Package workflow runs the steps of workflow runs: the third hop of the data.
//
// A task names a run. Its steps run one after another; the effect of a step and the row with its result are one
// transaction, so after a crash the run goes on with the first step that has no result. Run and step index are the key
// that keeps an effect from happening twice.
//
// A step fails for good when its configuration is wrong: an expression that fails, a value that is no id, an id that
// does not exist. The run is then failed, with a message that names the value, the expression and the place, and later
// steps do not run. An internal error is retried maxRetries times. A failure of the database is not counted and ends no
// run: it is tried until the database works again, at last once a minute.
package workflow

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/trace"
	"github.com/millrace/millrace/internal/workflow/control"
)

// maxRetries is how often a run is tried again after a failure that is not its own.
const maxRetries = 3

// Runner runs workflow runs.
type Runner struct {
	db     *store.DB
	budget *expr.Budget
}

// NewRunner returns a runner over a store. Its expressions use a budget; nil: any share of the time.
func NewRunner(db *store.DB, budget *expr.Budget) *Runner {
	return &Runner{db: db, budget: budget}
}

// progress is a run with all that its steps need.
type progress struct {
	run        *millrace.WorkflowRun
	workflow   *millrace.Workflow
	event      *millrace.Event
	occurrence *expr.Occurrence
	results    []millrace.StepResult
}

// Run goes on with the run that a task names.
func (r *Runner) Run(ctx context.Context, task millrace.Task) error {
	id := millrace.WorkflowRunID(task.Key)
	p, err := r.load(ctx, id)
	if err == nil && p != nil && p.run.Held() {
		if goes, err := r.begin(ctx, p.run); err != nil || !goes {
			return err
		}
		p, err = r.load(ctx, id)
	}
	if err != nil {
		return err
	}
	if p == nil {
		return r.leave(ctx, id)
	}
	ctx = trace.With(ctx, p.event.Traceparent) // what the run starts belongs to the request that it goes back to
	err = r.steps(ctx, p)
	if errors.Is(err, errEnded) {
		return r.leave(ctx, id)
	}
	var wait *millrace.RetryError
	if err == nil || ctx.Err() != nil || errors.As(err, &wait) {
		return err
	}
	if errors.Is(err, store.ErrOutage) {
		return err // which says nothing about the run: it goes on when the database does
	}
	if p.run.RetryAttempt < maxRetries {
		return errors.Join(err, r.countRetry(ctx, p.run, p.run.RetryAttempt+1))
	}
	return r.end(ctx, p, fmt.Sprintf("gave up after %d attempts: an internal error", p.run.RetryAttempt+1), nil)
}

// countRetry lets the run show that it is being tried again, unless another process has ended it meanwhile.
func (r *Runner) countRetry(ctx context.Context, run *millrace.WorkflowRun, attempt int64) error {
	err := r.db.Update(ctx, func(tx *store.Tx) error {
		next := *run
		next.RetryAttempt = attempt
		return tx.WorkflowRuns().Update(ctx, &next)
	})
	if millrace.KindOf(err) == millrace.KindNotFound {
		return nil
	}
	return err
}

func (r *Runner) load(ctx context.Context, id millrace.WorkflowRunID) (*progress, error) {
	p := &progress{}
	err := r.db.View(ctx, func(tx *store.Tx) error {
		var err error
		if p.run, err = tx.WorkflowRuns().ByID(ctx, id); err != nil || p.run == nil {
			return err
		}
		env := p.run.EnvironmentID
		if p.workflow, err = tx.Workflows().GetVersion(ctx, env, p.run.WorkflowID, p.run.WorkflowVersion); err != nil {
			return err
		}
		if p.event, err = tx.Events().Get(ctx, env, p.run.EventID); err != nil {
			return err
		}
		if p.results, err = tx.WorkflowRuns().StepResults(ctx, env, id); err != nil {
			return fmt.Errorf("read step results: %w", err)
		}
		return p.decode(ctx, tx)
	})
	if err != nil {
		return nil, err
	}
	if p.run == nil || p.run.Status.Finished() {
		return nil, nil //nolint:nilnil // nothing to do is a valid result
	}
	return p, nil
}

func (p *progress) decode(ctx context.Context, tx *store.Tx) error {
	var err error
	if p.occurrence, err = expr.NewOccurrence(p.event); err != nil {
		return err
	}
	id := p.occurrence.AccountID()
	if id == "" {
		return nil
	}
	account, err := tx.Accounts().Get(ctx, p.run.EnvironmentID, id)
	if millrace.KindOf(err) == millrace.KindNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	return p.occurrence.SetAccountContext(account.Context)
}

// steps runs the steps that have no result yet. The last one's result and the end of the run are one transaction.
func (r *Runner) steps(ctx context.Context, p *progress) error {
	if len(p.results) == len(p.workflow.Config.Steps) {
		return r.end(ctx, p, "", nil)
	}
	for i := len(p.results); i < len(p.workflow.Config.Steps); i++ {
		step := &p.workflow.Config.Steps[i]
		path := fmt.Sprintf("config.steps[%d]", i)
		if wait := r.budget.Wait(p.run.EnvironmentID); wait > 0 && evaluates(step) {
			return millrace.RetryAfter(wait, nil)
		}
		scope, err := p.scope()
		if err != nil {
			return err
		}
		var input json.RawMessage
		var skip bool
		var failure *millrace.Failure
		r.budget.Use(p.run.EnvironmentID, func() { input, skip, failure = evaluate(ctx, step, path, scope) })
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if failure != nil {
			return r.fail(ctx, p, i, failure)
		}
		var what *prepared
		if !skip {
			what, err = r.prepare(ctx, p, i, input)
		}
		if err == nil {
			err = r.effect(ctx, p, i, what)
		}
		if err != nil {
			if f := failureOf(err); f != nil {
				return r.fail(ctx, p, i, f)
			}
			return err
		}
	}
	return nil
}

// scope is the event's, with the results of the steps so far.
func (p *progress) scope() (expr.Value, error) {
	steps := make([]expr.Value, len(p.results))
	for i, s := range p.results {
		if len(s.Result) == 0 {
			steps[i] = expr.Null{}
			continue
		}
		v, err := expr.ParseJSON(s.Result)
		if err != nil {
			return nil, fmt.Errorf("decode result of step %d: %w", i, err)
		}
		steps[i] = v
	}
	return p.occurrence.Scope(steps...), nil
}

// effect does what a step says and stores its result; with the last step, the run ends. A step that is skipped has nothing
// prepared.
func (r *Runner) effect(ctx context.Context, p *progress, index int, what *prepared) error {
	step := &p.workflow.Config.Steps[index]
	type stored struct {
		run    *millrace.WorkflowRun
		result millrace.StepResult
	}
	out, err := store.Compute(ctx, r.db, func(tx *store.Tx) (stored, error) {
		v := stored{p.run, millrace.StepResult{Type: step.Type, Action: step.Action, Success: true, Skipped: what == nil}}
		if goes, err := control.Hold(ctx, tx, p.run); err != nil || !goes {
			return v, cmp.Or(err, errEnded)
		}
		var err error
		if what != nil {
			if v.result.Result, err = act(ctx, tx, p, index, what); err != nil {
				return v, err
			}
		}
		if _, err := tx.WorkflowRuns().AddStepResult(ctx, p.run.EnvironmentID, p.run.ID, index, v.result); err != nil {
			return v, fmt.Errorf("store step result: %w", err)
		}
		if index == len(p.workflow.Config.Steps)-1 {
			return v, finish(ctx, tx, p, append(p.results[:index:index], v.result), "", nil)
		}
		v.run, err = markRunning(ctx, tx, *p.run)
		return v, err
	})
	if err != nil {
		return err
	}
	p.run, p.results = out.run, append(p.results, out.result)
	return nil
}

// fail stores the result of a step that can never succeed and ends the run.
func (r *Runner) fail(ctx context.Context, p *progress, index int, f *millrace.Failure) error {
	step := &p.workflow.Config.Steps[index]
	message := f.Message
	if f.Path != "" {
		message = f.Path + ": " + message
	}
	p.results = append(p.results, millrace.StepResult{Type: step.Type, Action: step.Action, Error: message})
	return r.end(ctx, p, message, f)
}

func (r *Runner) end(ctx context.Context, p *progress, message string, f *millrace.Failure) error {
	return r.db.Update(ctx, func(tx *store.Tx) error { return finish(ctx, tx, p, p.results, message, f) })
}

func markRunning(ctx context.Context, tx *store.Tx, run millrace.WorkflowRun) (*millrace.WorkflowRun, error) {
	if run.Status == millrace.WorkflowRunRunning {
		return &run, nil
	}
	run.Status, run.StartedAt = millrace.WorkflowRunRunning, tx.Now()
	return &run, tx.WorkflowRuns().Update(ctx, &run)
}

// finish ends the run and its task, and with them its slot unless what it started still goes. A message makes it failed.
func finish(ctx context.Context, tx *store.Tx, p *progress, results []millrace.StepResult, message string, f *millrace.Failure) error {
	run := *p.run
	if run.StartedAt == 0 {
		run.StartedAt = tx.Now()
	}
	run.Status, run.FinishedAt = millrace.WorkflowRunCompleted, tx.Now()
	if results == nil {
		results = []millrace.StepResult{}
	}
	var err error
	if run.Result, err = json.Marshal(millrace.WorkflowResult{Success: message == "", Steps: results, Error: message}); err != nil {
		return fmt.Errorf("encode result: %w", err)
	}
	if message != "" {
		run.Status = millrace.WorkflowRunFailed
		if f == nil {
			f = &millrace.Failure{Message: message}
		}
		if run.Error, err = json.Marshal(f); err != nil {
			return fmt.Errorf("encode error: %w", err)
		}
	}
	if goes, err := control.Hold(ctx, tx, &run); err != nil || !goes {
		return cmp.Or(err, errEnded)
	}
	if err := tx.WorkflowRuns().Update(ctx, &run); err != nil && millrace.KindOf(err) != millrace.KindNotFound {
		return err
	}
	if err := control.LeaveSlot(ctx, tx, &run); err != nil {
		return err
	}
	return tx.Finish(ctx)
}
