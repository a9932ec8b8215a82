package workflow

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/schedule"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/syncjob/start"
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
	request, err := parseInput(input, path)
	if err != nil {
		return nil, explain(err, step)
	}
	if request.IntegratedAccountID == "" {
		if request.IntegratedAccountID, err = r.eventAccount(ctx, p); err != nil {
			return nil, err
		}
		request.SettleArgs(path)
	}
	request.Parting = p.event.Name == millrace.EventAccountDeleting
	if step.CronExpression != "" {
		policy, err := millrace.ParseSchedulePolicy(input, path)
		if err != nil {
			return nil, explain(err, step)
		}
		return &prepared{request: request, policy: policy}, nil
	}
	run, err := start.Prepare(ctx, r.db, p.run.EnvironmentID, request, path)
	if err != nil {
		return nil, explain(err, step)
	}
	run.WorkflowRunID, run.StepIndex, run.Depth, run.RootEventID = p.run.ID, int64(index), p.event.Depth+1, p.event.Root()
	if request.ID == "" {
		run.ID = millrace.DeriveID[millrace.SyncJobRunID](string(p.run.ID), strconv.Itoa(index), string(p.run.EnvironmentID))
	}
	return &prepared{run: run}, nil
}

// parseInput reads the input of run_sync_job as a step has computed it. A member that means nothing is an error: the run
// would not be the one that was meant.
func parseInput(input json.RawMessage, path string) (*millrace.RunRequest, error) {
	var members map[string]json.RawMessage
	_ = json.Unmarshal(input, &members) // ParseRunRequest tells what is wrong
	var failures []millrace.Failure
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if f := millrace.CheckRunInput(path, name); f != nil {
			failures = append(failures, *f)
		}
	}
	if len(failures) > 0 {
		return nil, millrace.InvalidAll(failures)
	}
	return millrace.ParseRunRequest(input, path)
}

// eventAccount returns the account that the event is about, which a step means that names none; empty: there is none, or it was
// deleted.
func (r *Runner) eventAccount(ctx context.Context, p *progress) (millrace.IntegratedAccountID, error) {
	id := p.event.Account()
	if id == "" {
		return "", nil
	}
	err := r.db.View(ctx, func(tx *store.Tx) error {
		_, err := tx.Accounts().Get(ctx, p.run.EnvironmentID, id)
		return err
	})
	if millrace.KindOf(err) == millrace.KindNotFound {
		return "", nil
	}
	return id, err
}

// act does what the step's action says, in the transaction of its result, and returns that result.
func act(ctx context.Context, tx *store.Tx, p *progress, index int, what *prepared) (json.RawMessage, error) {
	if what.run != nil {
		run, err := startRun(ctx, tx, p, index, what.run)
		if err != nil {
			return nil, err
		}
		return json.Marshal(run)
	}
	step := &p.workflow.Config.Steps[index]
	if _, err := tx.SyncJobRuns().Resolve(ctx, p.run.EnvironmentID, what.request, fmt.Sprintf("config.steps[%d].config", index)); err != nil {
		return nil, explain(err, step)
	}
	c, err := keepSchedule(ctx, tx, p, index, what)
	if err != nil {
		return nil, err
	}
	return json.Marshal(c)
}

// explain adds the expression that a wrong value came from. What a job itself says about its arguments is left alone.
func explain(err error, step *millrace.Step) error {
	f := failureOf(err)
	if f == nil || f.Code == millrace.CodeArgsValidation {
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

// startRun makes the sync job run. Workflow run and step index are its key.
func startRun(ctx context.Context, tx *store.Tx, p *progress, index int, run *millrace.SyncJobRun) (*millrace.SyncJobRun, error) {
	earlier, err := tx.SyncJobRuns().OfStep(ctx, p.run.EnvironmentID, p.run.ID, int64(index))
	if err != nil || earlier != nil {
		return earlier, err
	}
	return start.Start(ctx, tx, run)
}

// keepSchedule makes the schedule of the step, or updates the one it made before: workflow, step and account are its key,
// so that an account that reconnects does not get a second one.
func keepSchedule(ctx context.Context, tx *store.Tx, p *progress, index int, what *prepared) (*millrace.SyncJobCronTrigger, error) {
	request := what.request
	step := &p.workflow.Config.Steps[index]
	c, err := tx.Schedules().OfStep(ctx, p.run.EnvironmentID, p.workflow.ID, int64(index), request.IntegratedAccountID)
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
	if c.IsDetached {
		return c, nil // it was edited by hand
	}
	now, err := tx.Workflows().Lock(ctx, p.run.EnvironmentID, p.workflow.ID)
	if err != nil {
		return nil, err
	}
	before := *c
	c.RestReason = ""
	c.SyncJobID, c.WebhookID, c.Args = request.SyncJobID, request.WebhookID, request.Args
	c.CronExpression, c.Timezone = step.CronExpression, step.Timezone
	c.ErrorHandling, c.EventsToSend, c.Meta = request.ErrorHandling, request.EventsToSend, request.Meta
	c.DaemonGroupKey, c.SuperQuery = request.DaemonGroupKey, request.SuperQuery
	c.SchedulePolicy = what.policy
	step.Override(&c.SchedulePolicy)
	if err := schedule.Reschedule(c, &before, tx.Now()); err != nil {
		return nil, err
	}
	if now == nil || now.Version != p.workflow.Version { // the workflow was changed after the event was decided about
		change := schedule.Compare(p.workflow, now)
		if err := change.Apply(c, &before, tx.Now()); err != nil {
			return nil, err
		}
	}
	if fresh {
		return c, tx.Schedules().Create(ctx, c)
	}
	return c, tx.Schedules().Update(ctx, c)
}
