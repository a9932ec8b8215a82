package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

const stateNote = "state_key is required: it names the state, as it was resolved for the runs; an empty one is the state that " +
	"all runs without a state_key share."

// runState are the handlers of the state of runs. Its entries have no id of their own: state_key and key name them.
type runState struct{ api *api }

// Namespace is the state that a request is about. It is exported, as is EntryIn, because huma looks for parameters only in
// what is embedded under such a name.
type Namespace struct {
	StateKey string `query:"state_key" required:"true" doc:"Names the state; may be empty." example:"c7a4fe0b-6a9d-4a59-b53c-5d5a2c1e9d11"`
}

// read reads state_key, which must be there once, even if it is empty.
func (n *Namespace) read(r *request) error {
	query, err := url.ParseQuery(r.http.URL.RawQuery)
	if err != nil {
		return millrace.Invalid("state_key", "the query is not percent-encoded correctly")
	}
	values, ok := query["state_key"]
	switch {
	case !ok:
		return millrace.Invalid("state_key", "is required in the query; ?state_key= names the state that all runs without a state_key share")
	case len(values) > 1:
		return millrace.Invalid("state_key", "must be sent once")
	case len(values[0]) > 1000 || !isText(values[0]):
		return millrace.Invalid("state_key", "must be text of at most 1000 bytes")
	}
	n.StateKey = values[0]
	return nil
}

// stateListIn is the input of the list.
type stateListIn struct {
	listIn
	Namespace
}

func (in *stateListIn) read(r *request, b *bodyReader) error {
	if err := in.Namespace.read(r); err != nil {
		return err
	}
	return in.listIn.read(r, b)
}

func (n runState) list(ctx context.Context, in *stateListIn) (*reply[millrace.Page[millrace.StateEntry]], error) {
	entries := &noun[millrace.StateEntryID, millrace.StateEntry, millrace.StateEntry]{
		api: n.api, many: (*store.Tx).ListState, show: asStored[millrace.StateEntry],
	}
	return entries.list(ctx, &in.listIn)
}

// EntryIn is the input of a route about one entry.
type EntryIn struct {
	Namespace
	Key         string `path:"id" doc:"The key of the entry, percent-encoded." example:"last_processed_id"`
	Environment millrace.EnvironmentID
}

func (in *EntryIn) read(r *request, _ *bodyReader) error {
	in.Environment = r.environment
	if !isText(in.Key) {
		return millrace.NotFound("state entry", shorten(in.Key))
	}
	return in.Namespace.read(r)
}

func (n runState) get(ctx context.Context, in *EntryIn) (*reply[millrace.StateEntry], error) {
	out := &reply[millrace.StateEntry]{}
	err := n.api.cfg.DB.View(ctx, func(tx *store.Tx) error {
		entry, err := tx.State(ctx, in.Environment, in.StateKey, in.Key)
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

func (in *EntryIn) notFound() error { return millrace.NotFound("state entry", shorten(in.Key)) }

// deletedEntry is the answer to a delete.
type deletedEntry struct {
	ID string `json:"id" doc:"The key of the entry that is gone."`
}

func (n runState) delete(ctx context.Context, in *EntryIn) (*reply[deletedEntry], error) {
	err := n.api.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		found, err := tx.DeleteState(ctx, in.Environment, in.StateKey, in.Key)
		if err == nil && !found {
			err = in.notFound()
		}
		return err
	})
	return &reply[deletedEntry]{deletedEntry{in.Key}}, err
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

func (b *entryBody) validate(*api, json.RawMessage) []millrace.Failure {
	out := b.Value.check()
	if len(b.Key) > millrace.MaxStateKey || !isText(b.Key) {
		out = append(out, millrace.Failure{Path: "key", Message: fmt.Sprintf("must be text of at most %d bytes", millrace.MaxStateKey)})
	}
	return out
}

func (*entryBody) example() string { return `{"key":"last_processed_id","value":"1042"}` }

// entryCreateIn is the input of a create.
type entryCreateIn struct {
	Namespace
	createIn[entryBody]
}

func (in *entryCreateIn) read(r *request, b *bodyReader) error {
	if err := in.Namespace.read(r); err != nil {
		return err
	}
	return in.createIn.read(r, b)
}

// set creates an entry, or updates the one that is there.
func (n runState) set(ctx context.Context, in *entryCreateIn) (*reply[millrace.StateEntry], error) {
	v := &millrace.StateEntry{EnvironmentID: in.Environment, StateKey: in.StateKey, Key: in.Data.Key, Value: in.Data.Value.RawMessage}
	err := n.api.cfg.DB.Update(ctx, func(tx *store.Tx) error { return tx.SaveState(ctx, v) })
	return &reply[millrace.StateEntry]{*v}, err
}

// entryPatch is the body of a change.
type entryPatch struct {
	Value anything `json:"value"`
}

func (b *entryPatch) validate(*api, json.RawMessage) []millrace.Failure { return b.Value.check() }

// entryPatchIn is the input of a change.
type entryPatchIn struct {
	EntryIn
	Data entryPatch
}

func (in *entryPatchIn) read(r *request, b *bodyReader) error {
	if err := in.EntryIn.read(r, b); err != nil {
		return err
	}
	return b.read(r, &in.Data)
}

func (n runState) patch(ctx context.Context, in *entryPatchIn) (*reply[millrace.StateEntry], error) {
	return store.Compute(ctx, n.api.cfg.DB, func(tx *store.Tx) (*reply[millrace.StateEntry], error) {
		entry, err := tx.State(ctx, in.Environment, in.StateKey, in.Key)
		if err != nil {
			return nil, err
		}
		if entry == nil {
			return nil, in.notFound()
		}
		entry.Value, entry.SyncJobRunID = in.Data.Value.RawMessage, ""
		err = tx.SaveState(ctx, entry)
		return &reply[millrace.StateEntry]{*entry}, err
	})
}
