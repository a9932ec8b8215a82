package httpapi

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace"
)

// The inputs of the handlers. huma reads their tags for the OpenAPI document and fills in the path; read fills in the
// rest. The environment is that of the request's token.

// noIn is the input of a route that needs nothing.
type noIn struct{}

func (*noIn) read(*request, *bodyReader) error { return nil }

// listIn is the input of a list.
type listIn struct {
	Environment millrace.EnvironmentID
	List        listQuery
}

func (in *listIn) read(r *request, _ *bodyReader) error {
	in.Environment = r.environment
	var err error
	in.List, err = parseQuery(r.http.URL.RawQuery, r.environment)
	return err
}

// getIn is the input of a route about one object that has no body.
type getIn[ID ~string] struct {
	ID          ID `path:"id" doc:"The object's id, a UUID." example:"3f1a6a1e-7c0d-4b7e-9d55-0b7a3d1c2e4f"`
	Environment millrace.EnvironmentID
}

func (in *getIn[ID]) read(r *request, _ *bodyReader) error {
	in.Environment = r.environment
	return ownID(r, &in.ID)
}

// createIn is the input of a create or of an action that takes a body.
type createIn[B any] struct {
	Environment millrace.EnvironmentID
	Data        B
}

func (in *createIn[B]) read(r *request, b *bodyReader) error {
	in.Environment = r.environment
	return b.read(r, &in.Data)
}

// patchIn is the input of a change to one object.
type patchIn[ID ~string, B any] struct {
	ID          ID `path:"id" doc:"The object's id, a UUID." example:"3f1a6a1e-7c0d-4b7e-9d55-0b7a3d1c2e4f"`
	Environment millrace.EnvironmentID
	Data        B
}

func (in *patchIn[ID, B]) read(r *request, b *bodyReader) error {
	in.Environment = r.environment
	if err := ownID(r, &in.ID); err != nil {
		return err
	}
	return b.read(r, &in.Data)
}

// ownID prepares the id in the path. Some clients repeat a list's filters when they get one object; of those only the
// environment matters.
func ownID[ID ~string](r *request, id *ID) error {
	*id = ID(strings.ToLower(string(*id)))
	query, err := parseQuery(r.http.URL.RawQuery, r.environment)
	if err != nil {
		return err
	}
	if query.none || !millrace.IsID(string(*id)) {
		return millrace.NotFound("object", shorten(string(*id)))
	}
	return nil
}

// Identity is what a client may choose when it creates an object.
type Identity struct {
	ID            string `json:"id,omitempty" format:"uuid" doc:"The new object's id; a random UUID when absent." example:"3f1a6a1e-7c0d-4b7e-9d55-0b7a3d1c2e4f"`
	EnvironmentID string `json:"environment_id,omitempty" format:"uuid" doc:"The environment of the token; another one is not found."`
}

// own prepares a new object's id and checks that it is meant for the environment of the token.
func (i *Identity) own(environment millrace.EnvironmentID) error {
	i.ID = strings.ToLower(i.ID)
	if i.EnvironmentID != "" && !strings.EqualFold(i.EnvironmentID, string(environment)) {
		return millrace.NotFound("environment", i.EnvironmentID)
	}
	return nil
}

// opt is a member of a PATCH body: absent, null, or a value.
type opt[T any] struct {
	Sent  bool
	Null  bool
	Value T
}

// UnmarshalJSON notes that the member was sent. encoding/json calls it for null as well.
func (o *opt[T]) UnmarshalJSON(b []byte) error {
	o.Sent = true
	if bytes.Equal(b, []byte("null")) {
		o.Null = true
		return nil
	}
	return json.Unmarshal(b, &o.Value)
}

// Schema is that of the value, or null.
func (o opt[T]) Schema(r huma.Registry) *huma.Schema {
	s := *r.Schema(typeOf[T](), false, "")
	s.Nullable = true
	return &s
}

// or returns the value that was sent, otherwise what is there already. Null means the zero value.
func (o opt[T]) or(old T) T {
	if o.Sent {
		return o.Value
	}
	return old
}

// object is a JSON object that is kept as it was sent.
type object struct{ json.RawMessage }

// Schema allows any members.
func (object) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
}

// array is a JSON array that is kept as it was sent.
type array struct{ json.RawMessage }

// Schema allows any elements.
func (array) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeArray, Items: &huma.Schema{}}
}

// rawOr returns what was sent, or fallback when nothing or null was.
func rawOr(raw json.RawMessage, fallback string) json.RawMessage {
	if len(raw) == 0 || string(raw) == "null" {
		return json.RawMessage(fallback)
	}
	return raw
}

// sentRaw returns what was sent, fallback for null, and old when nothing was sent.
func sentRaw[T interface{ raw() json.RawMessage }](o opt[T], old json.RawMessage, fallback string) json.RawMessage {
	if !o.Sent {
		return old
	}
	return rawOr(o.Value.raw(), fallback)
}

func (o object) raw() json.RawMessage { return o.RawMessage }

func (a array) raw() json.RawMessage { return a.RawMessage }
