package work

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/store"
)

// StateNote is the description of every route of the state of runs.
const StateNote = "state_key is required: it names the state, as it was resolved for the runs; an empty one is the state that " +
	"all runs without a state_key share."

// runState are the handlers of the state of runs. Its entries have no id of their own: state_key and key name them.
type runState struct{ db *store.DB }

// SyncJobRunState are the handlers of the state of runs.
func (h *Handlers) SyncJobRunState() runState { return runState{h.DB} }

// Namespace is the state that a request is about. It is exported, as is EntryIn, because huma looks for parameters only in
// what is embedded under such a name.
type Namespace struct {
	StateKey string `query:"state_key" required:"true" doc:"Names the state; may be empty." example:"c7a4fe0b-6a9d-4a59-b53c-5d5a2c1e9d11"`
}

// read reads state_key, which must be there once, even if it is empty.
func (n *Namespace) read(r *rest.Request) error {
	query, err := url.ParseQuery(r.HTTP.URL.RawQuery)
	if err != nil {
		return millrace.Invalid("state_key", "the query is not percent-encoded correctly")
	}
	values, ok := query["state_key"]
	switch {
	case !ok:
		return millrace.Invalid("state_key", "is required in the query; ?state_key= names the state that all runs without a state_key share")
	case len(values) > 1:
		return millrace.Invalid("state_key", "must be sent once")
	case len(values[0]) > 1000 || !rest.IsText(values[0]):
		return millrace.Invalid("state_key", "must be text of at most 1000 bytes")
	}
	n.StateKey = values[0]
	return nil
}

// stateListIn is the input of the list.
type stateListIn struct {
	rest.ListIn
	Namespace
}

func (in *stateListIn) Read(r *rest.Request, b *rest.BodyReader) error {
	if err := in.read(r); err != nil {
		return err
	}
	return in.ListIn.Read(r, b)
}

func (n runState) List(ctx context.Context, in *stateListIn) (*rest.Reply[millrace.Page[millrace.StateEntry]], error) {
	entries := rest.NewResource(n.db, rest.Rows[millrace.StateEntryID, millrace.StateEntry]{
		List: func(tx *store.Tx, ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.StateEntry], error) {
			return tx.States().List(ctx, env, q)
		},
	}, rest.AsStored[millrace.StateEntry])
	return entries.List(ctx, &in.ListIn)
}

// EntryIn is the input of a route about one entry.
type EntryIn struct {
	Namespace
	Key string `path:"id" doc:"The key of the entry, percent-encoded." example:"last_processed_id"`
	rest.Principal
}

func (in *EntryIn) Read(r *rest.Request, _ *rest.BodyReader) error {
	in.Principal = r.Principal
	if !rest.IsText(in.Key) {
		return millrace.NotFound("state entry", millrace.Shorten(in.Key))
	}
	return in.read(r)
}

func (n runState) Get(ctx context.Context, in *EntryIn) (*rest.Reply[millrace.StateEntry], error) {
	out := &rest.Reply[millrace.StateEntry]{}
	err := n.db.View(ctx, func(tx *store.Tx) error {
		entry, err := tx.States().Get(ctx, in.Environment, in.StateKey, in.Key)
		if err == nil && entry == nil {
			err = in.notFound()
		}
		if err == nil {
			out.Body = *entry
		}
		return err
	})
	return out, err
}

func (in *EntryIn) notFound() error {
	return millrace.NotFound("state entry", millrace.Shorten(in.Key))
}

// deletedEntry is the response to a delete.
type deletedEntry struct {
	ID string `json:"id" doc:"The key of the entry that is gone."`
}

func (n runState) Delete(ctx context.Context, in *EntryIn) (*rest.Reply[deletedEntry], error) {
	err := n.db.Update(ctx, func(tx *store.Tx) error {
		found, err := tx.States().Delete(ctx, in.Environment, in.StateKey, in.Key)
		if err == nil && !found {
			err = in.notFound()
		}
		return err
	})
	return &rest.Reply[deletedEntry]{Body: deletedEntry{in.Key}}, err
}

// anything is a JSON value that is kept as it was sent.
type anything struct{ json.RawMessage }

// Schema allows any value.
func (anything) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Nullable: true, Description: "Any JSON value."}
}

func (v anything) check() []millrace.Failure {
	if len(v.RawMessage) > millrace.MaxStateValue {
		return []millrace.Failure{{Path: "value", Message: fmt.Sprintf("must have at most %d bytes", millrace.MaxStateValue)}}
	}
	return nil
}

// entryBody is the body of a create.
type entryBody struct {
	Key   string   `json:"key" minLength:"1" maxLength:"512" example:"last_processed_id"`
	Value anything `json:"value"`
}

func (b *entryBody) Validate(*rest.Request, json.RawMessage) []millrace.Failure {
	out := b.Value.check()
	if len(b.Key) > millrace.MaxStateKey || !rest.IsText(b.Key) {
		out = append(out, millrace.Failure{Path: "key", Message: fmt.Sprintf("must be text of at most %d bytes", millrace.MaxStateKey)})
	}
	return out
}

func (*entryBody) Example() string { return `{"key":"last_processed_id","value":"1042"}` }

// entryCreateIn is the input of a create.
type entryCreateIn struct {
	Namespace
	rest.CreateIn[entryBody]
}

func (in *entryCreateIn) Read(r *rest.Request, b *rest.BodyReader) error {
	if err := in.read(r); err != nil {
		return err
	}
	return in.CreateIn.Read(r, b)
}

// Set creates an entry, or updates the one that is there.
func (n runState) Set(ctx context.Context, in *entryCreateIn) (*rest.Reply[millrace.StateEntry], error) {
	v := &millrace.StateEntry{EnvironmentID: in.Environment, StateKey: in.StateKey, Key: in.Data.Key, Value: in.Data.Value.RawMessage}
	err := n.db.Update(ctx, func(tx *store.Tx) error { return tx.States().Save(ctx, v) })
	return &rest.Reply[millrace.StateEntry]{Body: *v}, err
}

// entryPatch is the body of a change.
type entryPatch struct {
	Value anything `json:"value"`
}

func (b *entryPatch) Validate(*rest.Request, json.RawMessage) []millrace.Failure {
	return b.Value.check()
}

// entryPatchIn is the input of a change.
type entryPatchIn struct {
	EntryIn
	Data entryPatch
}

func (in *entryPatchIn) Read(r *rest.Request, b *rest.BodyReader) error {
	if err := in.EntryIn.Read(r, b); err != nil {
		return err
	}
	return b.Read(r, &in.Data)
}

func (n runState) Patch(ctx context.Context, in *entryPatchIn) (*rest.Reply[millrace.StateEntry], error) {
	return store.Compute(ctx, n.db, func(tx *store.Tx) (*rest.Reply[millrace.StateEntry], error) {
		entry, err := tx.States().Get(ctx, in.Environment, in.StateKey, in.Key)
		if err != nil {
			return nil, err
		}
		if entry == nil {
			return nil, in.notFound()
		}
		entry.Value, entry.SyncJobRunID = in.Data.Value.RawMessage, ""
		err = tx.States().Save(ctx, entry)
		return &rest.Reply[millrace.StateEntry]{Body: *entry}, err
	})
}
