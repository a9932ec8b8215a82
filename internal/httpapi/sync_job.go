package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/document"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/store"
)

// syncJobView is a sync job on the wire.
type syncJobView struct {
	millrace.SyncJob
	Warnings []millrace.Failure `json:"warnings,omitempty" doc:"What is not wrong but probably not meant. Not in lists."`
}

type syncJobs struct {
	*noun[millrace.SyncJobID, millrace.SyncJob, syncJobView]
}

func (a *api) syncJobs() syncJobs {
	return syncJobs{&noun[millrace.SyncJobID, millrace.SyncJob, syncJobView]{
		api: a, one: (*store.Tx).SyncJob, many: (*store.Tx).ListSyncJobs, drop: dropSyncJob,
		show: each(func(v *millrace.SyncJob) syncJobView { return syncJobView{SyncJob: *v} }),
	}}
}

// warned adds the warnings to an answer: those of when the job was saved, since a read analyses nothing.
func (n syncJobs) warned(out *reply[syncJobView], err error) (*reply[syncJobView], error) {
	if err == nil {
		out.Body.Warnings = out.Body.SyncJob.Warnings
	}
	return out, err
}

// warnings finds what is probably not meant in a job that is about to be saved.
func (n syncJobs) warnings(ctx context.Context, v *millrace.SyncJob) []millrace.Failure {
	if n.api.cfg.WarnResources == nil {
		return nil
	}
	return n.api.cfg.WarnResources(ctx, v.Resources, v.DefaultRuntimeVersion, v.ArgsSchema)
}

func (n syncJobs) get(ctx context.Context, in *getIn[millrace.SyncJobID]) (*reply[syncJobView], error) {
	return n.warned(n.noun.get(ctx, in))
}

// dropSyncJob deletes a job and its schedules. Its runs go on: they have their own copy of the job.
func dropSyncJob(tx *store.Tx, ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobID) error {
	if err := tx.DeleteSyncJob(ctx, env, id); err != nil {
		return err
	}
	return dropSchedules(ctx, tx, env, "sync_job_id", string(id))
}

// runtimeVersion is a whole number that some clients send as text.
type runtimeVersion int64

// UnmarshalJSON reads a number or a text with one.
func (v *runtimeVersion) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) != nil {
		text = string(b)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		n = -1 // validate refuses it
	}
	*v = runtimeVersion(n)
	return nil
}

// Schema allows both forms.
func (runtimeVersion) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{{Type: huma.TypeInteger}, {Type: huma.TypeString}}}
}

func (v runtimeVersion) check() []millrace.Failure {
	if v >= 0 && v <= 4 {
		return nil
	}
	return []millrace.Failure{{Path: "default_runtime_version", Message: "must be a whole number from 1 to 4"}}
}

// SyncJobFields are what clients may set. A PATCH may hold a whole job as it was read, so what they may not set, and
// what nobody knows, is left alone.
type SyncJobFields struct {
	Label                 opt[string]                 `json:"label,omitzero" maxLength:"500" doc:"Untitled when absent."`
	IntegrationName       opt[string]                 `json:"integration_name,omitzero" maxLength:"100" doc:"The slug of the integration; empty for several." example:"calcom"`
	DefaultRuntimeVersion opt[runtimeVersion]         `json:"default_runtime_version,omitzero" doc:"1 to 4; 4 is a graph of nodes. Decided by the resources when absent."`
	ArgsSchema            opt[object]                 `json:"args_schema,omitzero" doc:"The arguments of a run."`
	ArgsValidation        opt[string]                 `json:"args_validation,omitzero" doc:"JSONata over args; an answer with a message refuses the run."`
	MutexKey              opt[string]                 `json:"mutex_key,omitzero" maxLength:"1000" doc:"A template; runs with the same key do not overlap."`
	StateKey              opt[string]                 `json:"state_key,omitzero" maxLength:"1000" doc:"A template; runs with the same key share their state."`
	ErrorHandling         opt[millrace.ErrorHandling] `json:"error_handling,omitzero" enum:"ignore,fail_fast,batch"`
	Resources             opt[array]                  `json:"resources,omitzero" doc:"The nodes of the graph, or the list of resources."`
}

func (b *SyncJobFields) check(a *api) []millrace.Failure {
	out := b.DefaultRuntimeVersion.Value.check()
	if s := b.ArgsValidation.Value; s != "" {
		if _, err := expr.Compile(s); err != nil {
			out = append(out, expr.FailureOf("args_validation", err))
		}
	}
	out = append(out, checkKeys(b.MutexKey.Value, b.StateKey.Value)...)
	return append(out, checkResources(a, b.Resources.Value.RawMessage, int64(b.DefaultRuntimeVersion.Value), b.ArgsSchema.Value.RawMessage)...)
}

// checkResources checks a job's resources and arguments, below the paths resources and args_schema.
func checkResources(a *api, resources json.RawMessage, version int64, argsSchema json.RawMessage) []millrace.Failure {
	root, err := document.ParseJSON(rawOr(resources, "[]"))
	if err != nil {
		return nil // of the wrong shape, which is reported as such
	}
	var out []millrace.Failure
	for i, item := range root.Items {
		if item.Kind != document.KindObject {
			out = append(out, millrace.Failure{
				Path: fmt.Sprintf("resources[%d]", i), Message: fmt.Sprintf("must be an object, not %s", item.Kind),
			})
		}
	}
	if len(out) == 0 && a.cfg.CheckResources != nil && (len(root.Items) > 0 || len(argsSchema) > 0) {
		out = a.cfg.CheckResources(rawOr(resources, "[]"), version, argsSchema)
	}
	return out
}

func (b *SyncJobFields) apply(v *millrace.SyncJob) {
	v.Label, v.IntegrationName = b.Label.or(v.Label), b.IntegrationName.or(v.IntegrationName)
	if v.Label == "" {
		v.Label = "Untitled"
	}
	v.DefaultRuntimeVersion = int64(b.DefaultRuntimeVersion.or(runtimeVersion(v.DefaultRuntimeVersion)))
	v.ArgsSchema = sentRaw(b.ArgsSchema, v.ArgsSchema, "{}")
	v.ArgsValidation = b.ArgsValidation.or(v.ArgsValidation)
	v.MutexKey, v.StateKey = b.MutexKey.or(v.MutexKey), b.StateKey.or(v.StateKey)
	v.ErrorHandling = b.ErrorHandling.or(v.ErrorHandling)
	v.Resources = sentRaw(b.Resources, v.Resources, "[]")
}

// syncJobBody is the body of a create.
type syncJobBody struct {
	Identity
	SyncJobFields
}

func (b *syncJobBody) validate(a *api, _ json.RawMessage) []millrace.Failure { return b.check(a) }

func (*syncJobBody) example() string {
	return `{"label":"Bookings","integration_name":"calcom","args_schema":{"integrated_account_id":` +
		`{"type":"string","format":"integrated_account_id","required":true}},"resources":[` +
		`{"name":"bookings","type":"request","resource":"bookings","method":"list",` +
		`"integrated_account_id":"{{args.integrated_account_id}}"},` +
		`{"name":"send","type":"destination","destination_type":"webhook","config":{"id":"{{args.webhook_id}}"},` +
		`"resources_to_persist":["bookings"]}]}`
}

func (n syncJobs) create(ctx context.Context, in *createIn[syncJobBody]) (*reply[syncJobView], error) {
	b := in.Data
	if err := b.own(in.Environment); err != nil {
		return nil, err
	}
	v := &millrace.SyncJob{
		ID: millrace.SyncJobID(b.ID), EnvironmentID: in.Environment,
		ArgsSchema: json.RawMessage("{}"), Resources: json.RawMessage("[]"),
	}
	b.apply(v)
	v.Warnings = n.warnings(ctx, v)
	return n.warned(n.update(ctx, func(tx *store.Tx) (*millrace.SyncJob, error) { return v, tx.InsertSyncJob(ctx, v) }))
}

// syncJobPatch is the body of a change.
type syncJobPatch struct{ SyncJobFields }

// whole reports whether the body says all that decides how resources are read. Otherwise the rest of that is stored.
func (b *syncJobPatch) whole() bool { return b.Resources.Sent && b.DefaultRuntimeVersion.Sent }

func (b *syncJobPatch) validate(a *api, _ json.RawMessage) []millrace.Failure {
	fields := b.SyncJobFields
	if !b.whole() {
		fields.Resources = opt[array]{}
	}
	return fields.check(a)
}

func (n syncJobs) patch(ctx context.Context, in *patchIn[millrace.SyncJobID, syncJobPatch]) (*reply[syncJobView], error) {
	b := in.Data
	changed := func(tx *store.Tx) (*millrace.SyncJob, error) {
		v, err := tx.SyncJob(ctx, in.Environment, in.ID)
		if err != nil {
			return nil, err
		}
		b.apply(v)
		return v, nil
	}
	checked := func(v *millrace.SyncJob) error {
		if !b.whole() && (b.Resources.Sent || b.DefaultRuntimeVersion.Sent) {
			if failures := checkResources(n.api, v.Resources, v.DefaultRuntimeVersion, v.ArgsSchema); len(failures) > 0 {
				return millrace.InvalidAll(failures)
			}
		}
		return nil
	}
	before, err := n.foresee(ctx, changed)
	if err != nil {
		return nil, err
	}
	if err := checked(before); err != nil {
		return nil, err
	}
	warnings := n.warnings(ctx, before)
	return n.warned(n.update(ctx, func(tx *store.Tx) (*millrace.SyncJob, error) {
		v, err := changed(tx)
		if err != nil {
			return nil, err
		}
		if v.Warnings = warnings; v.UpdatedAt != before.UpdatedAt {
			v.Warnings = notAnalysed()
			if err := checked(v); err != nil {
				return nil, err
			}
		}
		return v, tx.UpdateSyncJob(ctx, v)
	}))
}
