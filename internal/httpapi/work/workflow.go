package work

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/definition"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/schedule"
	"github.com/millrace/millrace/internal/store"
)

// YAMLNote is the description of the routes that take a workflow.
const YAMLNote = "The body is JSON or YAML. One that is not JSON is read as YAML whatever its content type says."

// workflowView is a workflow on the wire.
type workflowView struct {
	millrace.Workflow
	IsActive bool               `json:"is_active"`
	Warnings []millrace.Failure `json:"warnings,omitempty" doc:"What is not wrong but probably not meant. Not in lists."`
}

// Handlers are the handlers of what is done: workflows, sync jobs and their runs, events, the log.
type Handlers struct {
	DB       *store.DB
	Accepter *event.Accepter
	Clock    func() time.Time
}

type workflows struct {
	*rest.Resource[millrace.WorkflowID, millrace.Workflow, workflowView]
}

// Workflows are the handlers of workflows.
func (h *Handlers) Workflows() workflows {
	return workflows{rest.NewResource(h.DB, rest.RowsOf((*store.Tx).Workflows, dropWorkflow), rest.Each(showWorkflow))}
}

func showWorkflow(v *millrace.Workflow) workflowView {
	return workflowView{Workflow: *v, IsActive: !v.IsPaused}
}

// dropWorkflow deletes a workflow. The schedules that it has made rest.
func dropWorkflow(tx *store.Tx, ctx context.Context, env millrace.EnvironmentID, id millrace.WorkflowID) error {
	v, err := tx.Workflows().Get(ctx, env, id)
	if err != nil {
		return err
	}
	if err := tx.Workflows().Delete(ctx, env, id); err != nil {
		return err
	}
	return schedule.Follow(ctx, tx, v, nil)
}

// warned adds the warnings to a response: those of when the workflow was saved, since a read analyses nothing.
func (n workflows) warned(out *rest.Reply[workflowView], err error) (*rest.Reply[workflowView], error) {
	if err == nil {
		out.Body.Warnings = out.Body.Workflow.Warnings
	}
	return out, err
}

// warn puts into a row that is about to be saved what is not wrong with it but probably not meant.
func (n workflows) warn(ctx context.Context, v *millrace.Workflow) error {
	missing, err := definition.LookUpWorkflow(ctx, n.DB, v)
	v.Warnings = slices.Concat(definition.WarnWorkflow(ctx, v), missing)
	return err
}

func (n workflows) Get(ctx context.Context, in *rest.GetIn[millrace.WorkflowID]) (*rest.Reply[workflowView], error) {
	return n.warned(n.Resource.Get(ctx, in))
}

// WorkflowFields are what clients may set. run_if and steps may also stand beside config, as some clients send them.
type WorkflowFields struct {
	Label  rest.Opt[string]   `json:"label,omitzero" maxLength:"500"`
	Name   rest.Opt[string]   `json:"name,omitzero" maxLength:"500" doc:"The same as label."`
	Config *definition.Config `json:"config,omitempty" doc:"When the workflow runs and what it does."`
	Active rest.Opt[bool]     `json:"is_active,omitzero" nullable:"false" doc:"false: events do not run the workflow, and its schedules rest."`
	RunIf  rest.Opt[string]   `json:"run_if,omitzero" doc:"The same as config.run_if."`
	Steps  *definition.Steps  `json:"steps,omitempty" minItems:"1" maxItems:"100" doc:"The same as config.steps."`
}

// written returns the workflow as it was sent.
func (f *WorkflowFields) written(trigger *string) *definition.Workflow {
	w := &definition.Workflow{Trigger: trigger, Config: f.Config}
	if f.RunIf.Sent {
		w.RunIf = &f.RunIf.Value
	}
	if f.Steps != nil {
		w.Steps = *f.Steps
	}
	return w
}

// apply puts what was sent into the workflow. A config replaces the one that is there as a whole.
func (f *WorkflowFields) apply(v *millrace.Workflow) {
	v.IsPaused = !f.Active.Or(!v.IsPaused)
	v.Label = f.Label.Or(f.Name.Or(v.Label))
	if f.Config != nil {
		v.Config = f.Config.Row()
	}
	v.Config.RunIf = f.RunIf.Or(v.Config.RunIf)
	if f.Steps != nil {
		v.Config.Steps = f.Steps.Rows()
	}
}

// workflowBody is the body of a create.
type workflowBody struct {
	rest.Identity
	TriggerName string `json:"trigger_name" minLength:"1" doc:"The event that wakes the workflow." example:"integrated_account:active"`
	WorkflowFields
}

func (b *workflowBody) Validate(*rest.Request, json.RawMessage) []millrace.Failure {
	return b.written(&b.TriggerName).CheckWhole()
}

func (*workflowBody) Example() string {
	return `{"label":"Run sync job on account connection","trigger_name":"integrated_account:active","config":{` +
		`"run_if":"integration.name = 'calcom'","steps":[{"type":"run","action":"run_sync_job","config":{` +
		`"sync_job_id":"51b79ace-a7b4-4077-93ba-8048a06ece2b","integrated_account_id":"{{integrated_account_id}}",` +
		`"webhook_id":"9fda519d-148f-4cc5-bbac-4e373b16e5d4"}}]}}`
}

func (n workflows) Create(ctx context.Context, in *rest.CreateIn[workflowBody]) (*rest.Reply[workflowView], error) {
	b := in.Data
	if err := b.Own(in.Environment); err != nil {
		return nil, err
	}
	v := &millrace.Workflow{ID: millrace.WorkflowID(b.ID), EnvironmentID: in.Environment, TriggerName: b.TriggerName}
	v.Event, _ = millrace.CanonicalTrigger(b.TriggerName) // known: validate has looked
	b.apply(v)
	if err := n.warn(ctx, v); err != nil {
		return nil, err
	}
	if rest.EditOf(ctx).OnlyChecks() {
		return n.warned(&rest.Reply[workflowView]{Body: showWorkflow(v)}, nil)
	}
	return n.warned(n.Update(ctx, func(tx *store.Tx) (*millrace.Workflow, error) { return v, tx.Workflows().Create(ctx, v) }))
}

// workflowPatch is the body of a change.
type workflowPatch struct {
	TriggerName rest.Opt[string] `json:"trigger_name,omitzero" minLength:"1" nullable:"false" doc:"The event that wakes the workflow."`
	WorkflowFields
}

func (b *workflowPatch) Validate(r *rest.Request, _ json.RawMessage) []millrace.Failure {
	var trigger *string
	if b.TriggerName.Sent {
		trigger = &b.TriggerName.Value
	}
	if !r.Whole() {
		return b.written(trigger).Check()
	}
	out := b.written(trigger).CheckWhole()
	if trigger == nil {
		out = append(out, millrace.Failure{Path: "trigger_name", Message: "is required"})
	}
	return out
}

func (n workflows) Patch(ctx context.Context, in *rest.PatchIn[millrace.WorkflowID, workflowPatch]) (*rest.Reply[workflowView], error) {
	b, edit := in.Data, rest.EditOf(ctx)
	changed := func(tx *store.Tx) (*millrace.Workflow, error) {
		v, err := tx.Workflows().Get(ctx, in.Environment, in.ID)
		if err != nil {
			return nil, err
		}
		if err := edit.Fits(v); err != nil {
			return nil, err
		}
		if edit.Whole() {
			v = &millrace.Workflow{ID: v.ID, EnvironmentID: v.EnvironmentID, IsPaused: v.IsPaused, Version: v.Version, CreatedAt: v.CreatedAt, UpdatedAt: v.UpdatedAt}
		}
		if b.TriggerName.Sent {
			v.TriggerName = b.TriggerName.Value
			v.Event, _ = millrace.CanonicalTrigger(v.TriggerName)
		}
		b.apply(v)
		return v, nil
	}
	before, err := n.Foresee(ctx, changed)
	if err != nil {
		return nil, err
	}
	if err := n.warn(ctx, before); err != nil {
		return nil, err
	}
	if edit.OnlyChecks() {
		return n.warned(&rest.Reply[workflowView]{Body: showWorkflow(before)}, nil)
	}
	return n.warned(n.Update(ctx, func(tx *store.Tx) (*millrace.Workflow, error) {
		old, err := tx.Workflows().Lock(ctx, in.Environment, in.ID)
		if err != nil {
			return nil, err
		}
		v, err := changed(tx)
		if err != nil {
			return nil, err
		}
		if v.Warnings = before.Warnings; v.Version != before.Version {
			v.Warnings = notAnalysed()
		}
		if err := tx.Workflows().Update(ctx, v); err != nil {
			return nil, err
		}
		return v, schedule.Follow(ctx, tx, old, v)
	}))
}

// WorkflowRuns are the handlers of workflow runs.
func (h *Handlers) WorkflowRuns() *rest.Resource[millrace.WorkflowRunID, millrace.WorkflowRun, millrace.WorkflowRun] {
	return rest.NewResource(h.DB, rest.RowsOf((*store.Tx).WorkflowRuns, rest.DeleteOf((*store.Tx).WorkflowRuns)), rest.AsStored[millrace.WorkflowRun])
}

// notAnalysed is the warning about a row that became another one between its analysis and the transaction.
func notAnalysed() []millrace.Failure {
	return []millrace.Failure{{Message: "not analysed, because another request changed it at the same time; save it again to see its warnings"}}
}
