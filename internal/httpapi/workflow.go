package httpapi

import (
	"context"
	"encoding/json"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

const yamlNote = "The body is JSON or YAML. One that is not JSON is read as YAML whatever its content type says."

type workflows struct {
	*noun[millrace.WorkflowID, millrace.Workflow, workflowView]
}

func (a *api) workflows() workflows {
	return workflows{&noun[millrace.WorkflowID, millrace.Workflow, workflowView]{
		api: a, one: (*store.Tx).Workflow, many: (*store.Tx).ListWorkflows, drop: (*store.Tx).DeleteWorkflow,
		show: each(func(v *millrace.Workflow) workflowView { return workflowView{Workflow: *v} }),
	}}
}

// warned adds the warnings to an answer: those of when the workflow was saved, since a read analyses nothing.
func (n workflows) warned(out *reply[workflowView], err error) (*reply[workflowView], error) {
	if err == nil {
		out.Body.Warnings = out.Body.Workflow.Warnings
	}
	return out, err
}

func (n workflows) get(ctx context.Context, in *getIn[millrace.WorkflowID]) (*reply[workflowView], error) {
	return n.warned(n.noun.get(ctx, in))
}

// stepConfig is the input of a step's action: JSONata text, or an object whose texts contain placeholders.
type stepConfig struct{ json.RawMessage }

// Schema allows both forms.
func (stepConfig) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{{Type: huma.TypeString}, {Type: huma.TypeObject, AdditionalProperties: true}}}
}

// sentStep is one step as it is sent. An unknown key is an error: a run_if with a typing mistake would run always.
type sentStep struct {
	_              struct{}   `additionalProperties:"false"`
	Type           string     `json:"type" enum:"run" doc:"The kind of step."`
	Action         string     `json:"action" doc:"What to do." example:"run_sync_job"`
	RunIf          *string    `json:"run_if,omitempty" doc:"JSONata; the step is skipped when it does not hold."`
	Config         stepConfig `json:"config" doc:"The action's input: JSONata that returns it, or an object with {{placeholders}}."`
	CronExpression *string    `json:"cron_expression,omitempty" doc:"Five fields; the step then makes a schedule instead of a run." example:"0 */6 * * *"`
	Timezone       *string    `json:"timezone,omitempty" doc:"An IANA name; UTC when absent."`
}

// sentSteps are the steps of a workflow as they are sent.
type sentSteps []sentStep

func (s sentSteps) rows() []millrace.Step {
	out := make([]millrace.Step, len(s))
	for i, step := range s {
		out[i] = millrace.Step{Type: step.Type, Action: step.Action, Config: step.Config.RawMessage}
		for to, from := range map[*string]*string{
			&out[i].RunIf: step.RunIf, &out[i].CronExpression: step.CronExpression, &out[i].Timezone: step.Timezone,
		} {
			if from != nil {
				*to = *from
			}
		}
	}
	return out
}

// sentConfig is the config as it is sent.
type sentConfig struct {
	_     struct{}   `additionalProperties:"false"`
	RunIf *string    `json:"run_if,omitempty" doc:"JSONata; the workflow runs when it holds." example:"integration.name = 'calcom'"`
	Steps *sentSteps `json:"steps,omitempty" minItems:"1" maxItems:"100" doc:"What to do, in order."`
	WorkflowControls
}

// WorkflowFields are what clients may set. run_if and steps may also stand beside config, as some clients send them.
type WorkflowFields struct {
	Label  opt[string] `json:"label,omitzero" maxLength:"500"`
	Name   opt[string] `json:"name,omitzero" maxLength:"500" doc:"The same as label."`
	Config *sentConfig `json:"config,omitempty" doc:"When the workflow runs and what it does."`
	RunIf  opt[string] `json:"run_if,omitzero" doc:"The same as config.run_if."`
	Steps  *sentSteps  `json:"steps,omitempty" minItems:"1" maxItems:"100" doc:"The same as config.steps."`
}

// apply puts what was sent into the workflow. A config replaces the one that is there as a whole.
func (f *WorkflowFields) apply(v *millrace.Workflow) {
	v.Label = f.Label.or(f.Name.or(v.Label))
	if f.Config != nil {
		v.Config = f.Config.row()
	}
	v.Config.RunIf = f.RunIf.or(v.Config.RunIf)
	if f.Steps != nil {
		v.Config.Steps = f.Steps.rows()
	}
}

// workflowBody is the body of a create.
type workflowBody struct {
	Identity
	TriggerName string `json:"trigger_name" minLength:"1" doc:"The event that wakes the workflow." example:"integrated_account:active"`
	WorkflowFields
}

func (b *workflowBody) validate(*api, json.RawMessage) []millrace.Failure {
	out := append(checkTrigger(b.TriggerName), b.check()...)
	if b.Config == nil && b.Steps == nil {
		out = append(out, millrace.Failure{Path: "config", Message: "is required"})
	}
	return out
}

func (*workflowBody) example() string {
	return `{"label":"Run sync job on account connection","trigger_name":"integrated_account:active","config":{` +
		`"run_if":"integration.name = 'calcom'","steps":[{"type":"run","action":"run_sync_job","config":{` +
		`"sync_job_id":"51b79ace-a7b4-4077-93ba-8048a06ece2b","integrated_account_id":"{{integrated_account_id}}",` +
		`"webhook_id":"9fda519d-148f-4cc5-bbac-4e373b16e5d4"}}]}}`
}

func (n workflows) create(ctx context.Context, in *createIn[workflowBody]) (*reply[workflowView], error) {
	b := in.Data
	if err := b.own(in.Environment); err != nil {
		return nil, err
	}
	v := &millrace.Workflow{ID: millrace.WorkflowID(b.ID), EnvironmentID: in.Environment, TriggerName: b.TriggerName}
	v.Event, _ = millrace.CanonicalTrigger(b.TriggerName) // known: validate has looked
	b.apply(v)
	v.Warnings = warnWorkflow(ctx, v)
	return n.warned(n.update(ctx, func(tx *store.Tx) (*millrace.Workflow, error) { return v, tx.InsertWorkflow(ctx, v) }))
}

// workflowPatch is the body of a change.
type workflowPatch struct {
	TriggerName opt[string] `json:"trigger_name,omitzero" minLength:"1" nullable:"false" doc:"The event that wakes the workflow."`
	WorkflowFields
}

func (b *workflowPatch) validate(*api, json.RawMessage) []millrace.Failure {
	var out []millrace.Failure
	if b.TriggerName.Sent {
		out = checkTrigger(b.TriggerName.Value)
	}
	return append(out, b.check()...)
}

func (n workflows) patch(ctx context.Context, in *patchIn[millrace.WorkflowID, workflowPatch]) (*reply[workflowView], error) {
	b := in.Data
	changed := func(tx *store.Tx) (*millrace.Workflow, error) {
		v, err := tx.Workflow(ctx, in.Environment, in.ID)
		if err != nil {
			return nil, err
		}
		if b.TriggerName.Sent {
			v.TriggerName = b.TriggerName.Value
			v.Event, _ = millrace.CanonicalTrigger(v.TriggerName)
		}
		b.apply(v)
		return v, nil
	}
	before, err := n.foresee(ctx, changed)
	if err != nil {
		return nil, err
	}
	warnings := warnWorkflow(ctx, before)
	return n.warned(n.update(ctx, func(tx *store.Tx) (*millrace.Workflow, error) {
		v, err := changed(tx)
		if err != nil {
			return nil, err
		}
		if v.Warnings = warnings; v.Version != before.Version {
			v.Warnings = notAnalysed()
		}
		return v, tx.UpdateWorkflow(ctx, v)
	}))
}
