package work

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/definition"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/schedule"
	"github.com/millrace/millrace/internal/store"
)

// syncJobView is a sync job on the wire.
type syncJobView struct {
	millrace.SyncJob
	DefaultRuntimeVersion *int64             `json:"default_runtime_version,omitempty" doc:"Absent: decided by the shape of resources."`
	ArgsValidation        *string            `json:"args_validation" doc:"JSONata over args; a result with a message rejects the run."`
	MutexKey              *string            `json:"mutex_key" doc:"A template; runs with the same key do not overlap."`
	StateKey              *string            `json:"state_key" doc:"A template; runs with the same key share their state."`
	Warnings              []millrace.Failure `json:"warnings,omitempty" doc:"What is not wrong but probably not meant. Not in lists."`
}

type syncJobs struct {
	*rest.Resource[millrace.SyncJobID, millrace.SyncJob, syncJobView]
}

// SyncJobs are the handlers of sync jobs.
func (h *Handlers) SyncJobs() syncJobs {
	return syncJobs{rest.NewResource(h.DB, rest.RowsOf((*store.Tx).SyncJobs, dropSyncJob), rest.Each(showSyncJob))}
}

func showSyncJob(v *millrace.SyncJob) syncJobView {
	return syncJobView{
		SyncJob: *v, DefaultRuntimeVersion: rest.Nullable(v.DefaultRuntimeVersion), ArgsValidation: rest.Nullable(v.ArgsValidation),
		MutexKey: rest.Nullable(v.MutexKey), StateKey: rest.Nullable(v.StateKey),
	}
}

// warned adds the warnings to a response: those of when the job was saved, since a read analyses nothing.
func (n syncJobs) warned(out *rest.Reply[syncJobView], err error) (*rest.Reply[syncJobView], error) {
	if err == nil {
		out.Body.Warnings = out.Body.SyncJob.Warnings
	}
	return out, err
}

// warn puts into a row that is about to be saved what is not wrong with it but probably not meant.
func (n syncJobs) warn(ctx context.Context, v *millrace.SyncJob) error {
	missing, err := definition.LookUpSyncJob(ctx, n.DB, v)
	v.Warnings = slices.Concat(definition.WarnSyncJob(ctx, v), missing)
	return err
}

func (n syncJobs) Get(ctx context.Context, in *rest.GetIn[millrace.SyncJobID]) (*rest.Reply[syncJobView], error) {
	return n.warned(n.Resource.Get(ctx, in))
}

// dropSyncJob deletes a job and its schedules. Its runs go on: they have their own copy of the job.
func dropSyncJob(tx *store.Tx, ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobID) error {
	if err := tx.SyncJobs().Delete(ctx, env, id); err != nil {
		return err
	}
	return schedule.Drop(ctx, tx, env, "sync_job_id", string(id))
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
		n = -1 // validate rejects it
	}
	*v = runtimeVersion(n)
	return nil
}

// Schema allows both forms.
func (runtimeVersion) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{{Type: huma.TypeInteger}, {Type: huma.TypeString}}}
}

// SyncJobFields are what clients may set. A PATCH may hold a whole job as it was read, so what they may not set, and
// what is not known, is left alone.
type SyncJobFields struct {
	Label                 rest.Opt[string]                 `json:"label,omitzero" maxLength:"500" doc:"Untitled when absent."`
	IntegrationName       rest.Opt[string]                 `json:"integration_name,omitzero" maxLength:"100" doc:"The slug of the integration; empty for several." example:"calcom"`
	DefaultRuntimeVersion rest.Opt[runtimeVersion]         `json:"default_runtime_version,omitzero" doc:"1 to 4; 4 is a graph of nodes. Decided by the resources when absent."`
	ArgsSchema            rest.Opt[rest.Object]            `json:"args_schema,omitzero" doc:"The arguments of a run."`
	ArgsValidation        rest.Opt[string]                 `json:"args_validation,omitzero" doc:"JSONata over args; a result with a message rejects the run."`
	MutexKey              rest.Opt[string]                 `json:"mutex_key,omitzero" maxLength:"1000" doc:"A template; runs with the same key do not overlap."`
	StateKey              rest.Opt[string]                 `json:"state_key,omitzero" maxLength:"1000" doc:"A template; runs with the same key share their state."`
	ErrorHandling         rest.Opt[millrace.ErrorHandling] `json:"error_handling,omitzero" enum:"ignore,fail_fast,batch"`
	Resources             rest.Opt[rest.Array]             `json:"resources,omitzero" doc:"The nodes of the graph, or the list of resources."`
}

// written returns the job as it was sent.
func (b *SyncJobFields) written() *definition.SyncJob {
	return &definition.SyncJob{
		Version: int64(b.DefaultRuntimeVersion.Value), Resources: b.Resources.Value.RawMessage, ArgsSchema: b.ArgsSchema.Value.RawMessage,
		ArgsValidation: b.ArgsValidation.Value, MutexKey: b.MutexKey.Value, StateKey: b.StateKey.Value,
	}
}

func (b *SyncJobFields) apply(v *millrace.SyncJob) {
	v.Label, v.IntegrationName = b.Label.Or(v.Label), b.IntegrationName.Or(v.IntegrationName)
	if v.Label == "" {
		v.Label = "Untitled"
	}
	v.DefaultRuntimeVersion = int64(b.DefaultRuntimeVersion.Or(runtimeVersion(v.DefaultRuntimeVersion)))
	v.ArgsSchema = rest.SentRaw(b.ArgsSchema, v.ArgsSchema, "{}")
	v.ArgsValidation = b.ArgsValidation.Or(v.ArgsValidation)
	v.MutexKey, v.StateKey = b.MutexKey.Or(v.MutexKey), b.StateKey.Or(v.StateKey)
	v.ErrorHandling = b.ErrorHandling.Or(v.ErrorHandling)
	v.Resources = rest.SentRaw(b.Resources, v.Resources, "[]")
}

// syncJobBody is the body of a create.
type syncJobBody struct {
	rest.Identity
	SyncJobFields
}

func (b *syncJobBody) Validate(*rest.Request, json.RawMessage) []millrace.Failure {
	return b.written().Check()
}

func (*syncJobBody) Example() string {
	return `{"label":"Bookings","integration_name":"calcom","args_schema":{"integrated_account_id":` +
		`{"type":"string","format":"integrated_account_id","required":true}},"resources":[` +
		`{"name":"bookings","type":"request","resource":"bookings","method":"list",` +
		`"integrated_account_id":"{{args.integrated_account_id}}"},` +
		`{"name":"send","type":"destination","destination_type":"webhook","config":{"id":"{{args.webhook_id}}"},` +
		`"resources_to_persist":["bookings"]}]}`
}

func (n syncJobs) Create(ctx context.Context, in *rest.CreateIn[syncJobBody]) (*rest.Reply[syncJobView], error) {
	b := in.Data
	if err := b.Own(in.Environment); err != nil {
		return nil, err
	}
	v := &millrace.SyncJob{
		ID: millrace.SyncJobID(b.ID), EnvironmentID: in.Environment,
		ArgsSchema: json.RawMessage("{}"), Resources: json.RawMessage("[]"),
	}
	b.apply(v)
	if err := n.warn(ctx, v); err != nil {
		return nil, err
	}
	if rest.EditOf(ctx).OnlyChecks() {
		return n.warned(&rest.Reply[syncJobView]{Body: showSyncJob(v)}, nil)
	}
	return n.warned(n.Update(ctx, func(tx *store.Tx) (*millrace.SyncJob, error) { return v, tx.SyncJobs().Create(ctx, v) }))
}

// syncJobPatch is the body of a change.
type syncJobPatch struct{ SyncJobFields }

// whole reports whether the body says all that decides how resources are read. Otherwise the rest of that is stored.
func (b *syncJobPatch) whole() bool { return b.Resources.Sent && b.DefaultRuntimeVersion.Sent }

func (b *syncJobPatch) Validate(r *rest.Request, _ json.RawMessage) []millrace.Failure {
	job := b.written()
	if !b.whole() && !r.Whole() {
		job.Resources = nil
	}
	return job.Check()
}

func (n syncJobs) Patch(ctx context.Context, in *rest.PatchIn[millrace.SyncJobID, syncJobPatch]) (*rest.Reply[syncJobView], error) {
	b, edit := in.Data, rest.EditOf(ctx)
	changed := func(tx *store.Tx) (*millrace.SyncJob, error) {
		v, err := tx.SyncJobs().Get(ctx, in.Environment, in.ID)
		if err != nil {
			return nil, err
		}
		if err := edit.Fits(v); err != nil {
			return nil, err
		}
		if edit.Whole() {
			v = &millrace.SyncJob{ID: v.ID, EnvironmentID: v.EnvironmentID, ArgsSchema: json.RawMessage("{}"), Resources: json.RawMessage("[]"), CreatedAt: v.CreatedAt, UpdatedAt: v.UpdatedAt}
		}
		b.apply(v)
		return v, nil
	}
	checked := func(v *millrace.SyncJob) error {
		if !b.whole() && (b.Resources.Sent || b.DefaultRuntimeVersion.Sent) {
			if failures := definition.CheckResources(v.Resources, v.DefaultRuntimeVersion, v.ArgsSchema); len(failures) > 0 {
				return millrace.InvalidAll(failures)
			}
		}
		return nil
	}
	before, err := n.Foresee(ctx, changed)
	if err != nil {
		return nil, err
	}
	if err := checked(before); err != nil {
		return nil, err
	}
	if err := n.warn(ctx, before); err != nil {
		return nil, err
	}
	if edit.OnlyChecks() {
		return n.warned(&rest.Reply[syncJobView]{Body: showSyncJob(before)}, nil)
	}
	return n.warned(n.Update(ctx, func(tx *store.Tx) (*millrace.SyncJob, error) {
		v, err := changed(tx)
		if err != nil {
			return nil, err
		}
		if v.Warnings = before.Warnings; v.UpdatedAt != before.UpdatedAt {
			v.Warnings = notAnalysed()
			if err := checked(v); err != nil {
				return nil, err
			}
		}
		return v, tx.SyncJobs().Update(ctx, v)
	}))
}
