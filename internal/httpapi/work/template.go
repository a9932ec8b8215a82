package work

import (
	"context"
	"encoding/json"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/definition"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/store"
)

type syncJobTemplates struct {
	*rest.Resource[millrace.SyncJobTemplateID, millrace.SyncJobTemplate, syncJobTemplateView]
}

// syncJobTemplateView is a template on the wire: one for no integration has null.
type syncJobTemplateView struct {
	millrace.SyncJobTemplate
	IntegrationName *string `json:"integration_name"`
}

func templates(tx *store.Tx) store.Templates { return tx.SyncJobs().Templates() }

// SyncJobTemplates are the handlers of sync job templates.
func (h *Handlers) SyncJobTemplates() syncJobTemplates {
	return syncJobTemplates{rest.NewResource(h.DB, rest.RowsOf(templates, rest.DeleteOf(templates)), rest.Each(func(v *millrace.SyncJobTemplate) syncJobTemplateView {
		return syncJobTemplateView{*v, rest.Nullable(v.IntegrationName)}
	}))}
}

// TemplateFields are what clients may set at any time.
type TemplateFields struct {
	IntegrationName rest.Opt[string]      `json:"integration_name,omitzero" maxLength:"100" doc:"The slug of the integration; null for any." example:"calcom"`
	Description     rest.Opt[string]      `json:"description,omitzero" maxLength:"5000"`
	Sharing         rest.Opt[string]      `json:"sharing,omitzero" enum:"deny,ask,allow" nullable:"false" doc:"deny when absent."`
	ArgsSchema      rest.Opt[rest.Object] `json:"args_schema,omitzero" doc:"The arguments of a run."`
	ArgsValidation  rest.Opt[string]      `json:"args_validation,omitzero" doc:"JSONata over args; a result with a message rejects the run."`
	Resources       rest.Opt[rest.Array]  `json:"resources,omitzero" doc:"The nodes of the graph, or the list of resources."`
}

func (f *TemplateFields) check(version runtimeVersion) []millrace.Failure {
	job := definition.SyncJob{
		Version: int64(version), Resources: f.Resources.Value.RawMessage, ArgsSchema: f.ArgsSchema.Value.RawMessage, ArgsValidation: f.ArgsValidation.Value,
	}
	return job.Check()
}

func (f *TemplateFields) apply(v *millrace.SyncJobTemplate) {
	v.IntegrationName, v.Description = f.IntegrationName.Or(v.IntegrationName), f.Description.Or(v.Description)
	v.Sharing, v.ArgsValidation = f.Sharing.Or(v.Sharing), f.ArgsValidation.Or(v.ArgsValidation)
	v.ArgsSchema = rest.SentRaw(f.ArgsSchema, v.ArgsSchema, "{}")
	v.Resources = rest.SentRaw(f.Resources, v.Resources, "[]")
}

// templateBody is the body of a create.
type templateBody struct {
	rest.Identity
	Label                 string         `json:"label" minLength:"1" maxLength:"500"`
	DefaultRuntimeVersion runtimeVersion `json:"default_runtime_version" doc:"1 to 4; 4 is a graph of nodes."`
	TemplateFields
}

func (b *templateBody) Validate(*rest.Request, json.RawMessage) []millrace.Failure {
	return b.check(b.DefaultRuntimeVersion)
}

func (*templateBody) Example() string {
	return `{"label":"Bookings","default_runtime_version":4,"integration_name":"calcom","sharing":"allow","resources":[` +
		`{"name":"bookings","type":"request","resource":"bookings","method":"list",` +
		`"integrated_account_id":"{{args.integrated_account_id}}"}]}`
}

func (n syncJobTemplates) Create(ctx context.Context, in *rest.CreateIn[templateBody]) (*rest.Reply[syncJobTemplateView], error) {
	b := in.Data
	if err := b.Own(in.Environment); err != nil {
		return nil, err
	}
	return n.Update(ctx, func(tx *store.Tx) (*millrace.SyncJobTemplate, error) {
		environment, err := tx.Environments().Get(ctx, in.Environment)
		if err != nil {
			return nil, err
		}
		v := &millrace.SyncJobTemplate{
			ID: millrace.SyncJobTemplateID(b.ID), EnvironmentID: in.Environment, TeamID: environment.TeamID, Label: b.Label,
			DefaultRuntimeVersion: int64(b.DefaultRuntimeVersion), Sharing: "deny",
			ArgsSchema: json.RawMessage("{}"), Resources: json.RawMessage("[]"),
		}
		b.apply(v)
		return v, tx.SyncJobs().Templates().Create(ctx, v)
	})
}

// templatePatch is the body of a change.
type templatePatch struct {
	Label                 rest.Opt[string]         `json:"label,omitzero" minLength:"1" maxLength:"500" nullable:"false"`
	DefaultRuntimeVersion rest.Opt[runtimeVersion] `json:"default_runtime_version,omitzero" nullable:"false" doc:"1 to 4; 4 is a graph of nodes."`
	TemplateFields
}

func (b *templatePatch) Validate(*rest.Request, json.RawMessage) []millrace.Failure {
	return b.check(b.DefaultRuntimeVersion.Value)
}

func (n syncJobTemplates) Patch(ctx context.Context, in *rest.PatchIn[millrace.SyncJobTemplateID, templatePatch]) (*rest.Reply[syncJobTemplateView], error) {
	return n.Update(ctx, func(tx *store.Tx) (*millrace.SyncJobTemplate, error) {
		v, err := tx.SyncJobs().Templates().Get(ctx, in.Environment, in.ID)
		if err != nil {
			return nil, err
		}
		v.Label = in.Data.Label.Or(v.Label)
		v.DefaultRuntimeVersion = int64(in.Data.DefaultRuntimeVersion.Or(runtimeVersion(v.DefaultRuntimeVersion)))
		in.Data.apply(v)
		return v, tx.SyncJobs().Templates().Update(ctx, v)
	})
}
