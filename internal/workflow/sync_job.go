package workflow

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/store"
)

// prepared is what a step's action will store, computed before the transaction of its result: a run, or the request that a
// schedule keeps.
type prepared struct {
	run     *millrace.SyncJobRun
	request *millrace.RunRequest
	policy  millrace.SchedulePolicy
}

// prepare checks the input of the step's action.
func (r *Runner) prepare(ctx context.Context, p *progress, index int, input json.RawMessage) (*prepared, error) {
	step := &p.workflow.Config.Steps[index]
	if step.Action != millrace.ActionRunSyncJob {
		return nil, millrace.Invalid(fmt.Sprintf("config.steps[%d].action", index), "unknown action %q", step.Action)
	}
	path := fmt.Sprintf("config.steps[%d].config", index)
	request, err := millrace.ParseRunRequest(input, path)
	if err != nil {
		return nil, explain(err, step)
	}
	if step.CronExpression != "" {
		policy, err := millrace.ParseSchedulePolicy(input, path)
		if err != nil {
			return nil, explain(err, step)
		}
		return &prepared{request: request, policy: policy}, nil
	}
	run, err := r.starter.Prepare(ctx, p.run.EnvironmentID, request, path)
	if err != nil {
		return nil, explain(err, step)
	}
	run.WorkflowRunID, run.StepIndex, run.Depth, run.RootEventID = p.run.ID, int64(index), p.event.Depth+1, p.event.Root()
	if request.ID == "" {
		run.ID = millrace.DeriveID[millrace.SyncJobRunID](string(p.run.ID), strconv.Itoa(index), string(p.run.EnvironmentID))
	}
	return &prepared{run: run}, nil
}

// act does what the step's action says, in the transaction of its result, and returns that result.
func (r *Runner) act(ctx context.Context, tx *store.Tx, p *progress, index int, what *prepared) (json.RawMessage, error) {
	if what.run != nil {
		run, err := r.start(ctx, tx, p, index, what.run)
		if err != nil {
			return nil, err
		}
		return json.Marshal(run)
	}
	step := &p.workflow.Config.Steps[index]
	if _, err := tx.ResolveRun(ctx, p.run.EnvironmentID, what.request, fmt.Sprintf("config.steps[%d].config", index)); err != nil {
		return nil, explain(err, step)
	}
	c, err := schedule(ctx, tx, p, index, what)
	if err != nil {
		return nil, err
	}
	return json.Marshal(c)
}

// explain adds the expression that a wrong value came from. What a job itself says about its arguments is left alone.
func explain(err error, step *millrace.Step) error {
	f := failureOf(err)
	if f == nil || f.Code == millrace.CodeRefused {
		return err
	}
	source := strings.Join(strings.Fields(string(step.Config)), " ")
	const most = 200
	if len(source) > most {
		source = strings.ToValidUTF8(source[:most], "") + "..."
	}
	f.Message += "; it comes from " + source
	return millrace.InvalidAll([]millrace.Failure{*f})
}

// start makes the sync job run. Workflow run and step index are its key.
func (r *Runner) start(ctx context.Context, tx *store.Tx, p *progress, index int, run *millrace.SyncJobRun) (*millrace.SyncJobRun, error) {
	earlier, err := tx.SyncJobRunOfStep(ctx, p.run.EnvironmentID, p.run.ID, int64(index))
	if err != nil || earlier != nil {
		return earlier, err
	}
	return r.starter.StartTx(ctx, tx, run)
}

// schedule makes the schedule of the step, or updates the one it made before: workflow, step and account are its key,
// so that an account that reconnects does not get a second one.
func schedule(ctx context.Context, tx *store.Tx, p *progress, index int, what *prepared) (*millrace.SyncJobCronTrigger, error) {
	request := what.request
	step := &p.workflow.Config.Steps[index]
	c, err := tx.CronTriggerOfStep(ctx, p.run.EnvironmentID, p.workflow.ID, int64(index), request.IntegratedAccountID)
	if err != nil {
		return nil, err
	}
	fresh := c == nil
	if fresh {
		c = &millrace.SyncJobCronTrigger{
			ID: millrace.NewID[millrace.SyncJobCronTriggerID](), EnvironmentID: p.run.EnvironmentID, WorkflowID: p.workflow.ID, StepIndex: int64(index),
			IntegratedAccountID: request.IntegratedAccountID,
		}
	}
	before := *c
	c.SyncJobID, c.WebhookID, c.Args = request.SyncJobID, request.WebhookID, request.Args
	c.CronExpression, c.Timezone = step.CronExpression, step.Timezone
	c.ErrorHandling, c.EventsToSend, c.Meta = request.ErrorHandling, request.EventsToSend, request.Meta
	c.DaemonGroupKey, c.SuperQuery = request.DaemonGroupKey, request.SuperQuery
	c.SchedulePolicy = what.policy
	if err := expr.Reschedule(c, &before, tx.Now()); err != nil {
		return nil, err
	}
	if fresh {
		return c, tx.InsertSyncJobCronTrigger(ctx, c)
	}
	return c, tx.UpdateSyncJobCronTrigger(ctx, c)
}
