package httpapi

import (
	"context"
	"encoding/json"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

type syncJobTemplates struct {
	*noun[millrace.SyncJobTemplateID, millrace.SyncJobTemplate, syncJobTemplateView]
}

// syncJobTemplateView is a template on the wire: one for no integration has null.
type syncJobTemplateView struct {
	millrace.SyncJobTemplate
	IntegrationName *string `json:"integration_name"`
}

func (a *api) syncJobTemplates() syncJobTemplates {
	return syncJobTemplates{&noun[millrace.SyncJobTemplateID, millrace.SyncJobTemplate, syncJobTemplateView]{
		api: a, one: (*store.Tx).SyncJobTemplate, many: (*store.Tx).ListSyncJobTemplates, drop: (*store.Tx).DeleteSyncJobTemplate,
		show: each(func(v *millrace.SyncJobTemplate) syncJobTemplateView {
			return syncJobTemplateView{*v, nullable(v.IntegrationName)}
		}),
	}}
}

// TemplateFields are what clients may set at any time.
type TemplateFields struct {
	IntegrationName opt[string] `json:"integration_name,omitzero" maxLength:"100" doc:"The slug of the integration; null for any." example:"calcom"`
	Description     opt[string] `json:"description,omitzero" maxLength:"5000"`
	Sharing         opt[string] `json:"sharing,omitzero" enum:"deny,ask,allow" nullable:"false" doc:"deny when absent."`
	ArgsSchema      opt[object] `json:"args_schema,omitzero" doc:"The arguments of a run."`
	ArgsValidation  opt[string] `json:"args_validation,omitzero" doc:"JSONata over args; an answer with a message refuses the run."`
	Resources       opt[array]  `json:"resources,omitzero" doc:"The nodes of the graph, or the list of resources."`
}

func (f *TemplateFields) check(a *api, version runtimeVersion) []millrace.Failure {
	plan := SyncJobFields{ArgsSchema: f.ArgsSchema, ArgsValidation: f.ArgsValidation, Resources: f.Resources}
	plan.DefaultRuntimeVersion.Value = version
	return plan.check(a)
}

func (f *TemplateFields) apply(v *millrace.SyncJobTemplate) {
	v.IntegrationName, v.Description = f.IntegrationName.or(v.IntegrationName), f.Description.or(v.Description)
	v.Sharing, v.ArgsValidation = f.Sharing.or(v.Sharing), f.ArgsValidation.or(v.ArgsValidation)
	v.ArgsSchema = sentRaw(f.ArgsSchema, v.ArgsSchema, "{}")
	v.Resources = sentRaw(f.Resources, v.Resources, "[]")
}

// templateBody is the body of a create.
type templateBody struct {
	Identity
	Label                 string         `json:"label" minLength:"1" maxLength:"500"`
	DefaultRuntimeVersion runtimeVersion `json:"default_runtime_version" doc:"1 to 4; 4 is a graph of nodes."`
	TemplateFields
}

func (b *templateBody) validate(a *api, _ json.RawMessage) []millrace.Failure {
	return b.check(a, b.DefaultRuntimeVersion)
}

func (*templateBody) example() string {
	return `{"label":"Bookings","default_runtime_version":4,"integration_name":"calcom","sharing":"allow","resources":[` +
		`{"name":"bookings","type":"request","resource":"bookings","method":"list",` +
		`"integrated_account_id":"{{args.integrated_account_id}}"}]}`
}

func (n syncJobTemplates) create(ctx context.Context, in *createIn[templateBody]) (*reply[syncJobTemplateView], error) {
	b := in.Data
	if err := b.own(in.Environment); err != nil {
		return nil, err
	}
	return n.update(ctx, func(tx *store.Tx) (*millrace.SyncJobTemplate, error) {
		environment, err := tx.Environment(ctx, in.Environment)
		if err != nil {
			return nil, err
		}
		v := &millrace.SyncJobTemplate{
			ID: millrace.SyncJobTemplateID(b.ID), EnvironmentID: in.Environment, TeamID: environment.TeamID, Label: b.Label,
			DefaultRuntimeVersion: int64(b.DefaultRuntimeVersion), Sharing: "deny",
			ArgsSchema: json.RawMessage("{}"), Resources: json.RawMessage("[]"),
		}
		b.apply(v)
		return v, tx.InsertSyncJobTemplate(ctx, v)
	})
}

// templatePatch is the body of a change.
type templatePatch struct {
	Label                 opt[string]         `json:"label,omitzero" minLength:"1" maxLength:"500" nullable:"false"`
	DefaultRuntimeVersion opt[runtimeVersion] `json:"default_runtime_version,omitzero" nullable:"false" doc:"1 to 4; 4 is a graph of nodes."`
	TemplateFields
}

func (b *templatePatch) validate(a *api, _ json.RawMessage) []millrace.Failure {
	return b.check(a, b.DefaultRuntimeVersion.Value)
}

func (n syncJobTemplates) patch(ctx context.Context, in *patchIn[millrace.SyncJobTemplateID, templatePatch]) (*reply[syncJobTemplateView], error) {
	return n.update(ctx, func(tx *store.Tx) (*millrace.SyncJobTemplate, error) {
		v, err := tx.SyncJobTemplate(ctx, in.Environment, in.ID)
		if err != nil {
			return nil, err
		}
		v.Label = in.Data.Label.or(v.Label)
		v.DefaultRuntimeVersion = int64(in.Data.DefaultRuntimeVersion.or(runtimeVersion(v.DefaultRuntimeVersion)))
		in.Data.apply(v)
		return v, tx.UpdateSyncJobTemplate(ctx, v)
	})
}
