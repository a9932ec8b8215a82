package rest

import (
	"bytes"
	"encoding/json"
	"net/url"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace"
)

// The inputs of the handlers. huma reads their tags for the OpenAPI document and fills in the path; read fills in the
// rest. The principal is that of the request.

// NoIn is the input of a route that needs nothing.
type NoIn struct{}

func (*NoIn) Read(*Request, *BodyReader) error { return nil }

// ListIn is the input of a list.
type ListIn struct {
	Principal
	List ListQuery
}

func (in *ListIn) Read(r *Request, _ *BodyReader) error {
	in.Principal = r.Principal
	var err error
	in.List, err = ParseQuery(r.HTTP.URL.RawQuery, r.Environment)
	r.columns = in.List.Columns
	return err
}

// GetIn is the input of a route about one object that has no body.
type GetIn[ID ~string] struct {
	ID ID `path:"id" doc:"The object's id, a UUID." example:"3f1a6a1e-7c0d-4b7e-9d55-0b7a3d1c2e4f"`
	Principal
}

func (in *GetIn[ID]) Read(r *Request, _ *BodyReader) error {
	in.Principal = r.Principal
	return OwnID(r, &in.ID)
}

// CreateIn is the input of a create or of an action that takes a body.
type CreateIn[B any] struct {
	Principal
	Data B
}

func (in *CreateIn[B]) Read(r *Request, b *BodyReader) error {
	in.Principal = r.Principal
	return b.Read(r, &in.Data)
}

// PatchIn is the input of a change to one object.
type PatchIn[ID ~string, B any] struct {
	ID ID `path:"id" doc:"The object's id, a UUID." example:"3f1a6a1e-7c0d-4b7e-9d55-0b7a3d1c2e4f"`
	Principal
	Data B
}

func (in *PatchIn[ID, B]) Read(r *Request, b *BodyReader) error {
	in.Principal = r.Principal
	if err := OwnID(r, &in.ID); err != nil {
		return err
	}
	return b.Read(r, &in.Data)
}

// SlugIn is the input of a route about one object that has a name beside its id.
type SlugIn struct {
	ID string `path:"id" doc:"The object's id or its name." example:"calcom"`
	Principal
}

func (in *SlugIn) Read(r *Request, _ *BodyReader) error {
	in.Principal = r.Principal
	if millrace.IsID(in.ID) {
		return OwnID(r, &in.ID)
	}
	return nil
}

// SlugPatchIn is the input of a change to such an object.
type SlugPatchIn[B any] struct {
	ID string `path:"id" doc:"The object's id or its name." example:"calcom"`
	Principal
	Data B
}

func (in *SlugPatchIn[B]) Read(r *Request, b *BodyReader) error {
	named := SlugIn{ID: in.ID}
	if err := named.Read(r, b); err != nil {
		return err
	}
	in.ID, in.Principal = named.ID, named.Principal
	return b.Read(r, &in.Data)
}

// OwnID prepares the id in the path. Some clients repeat a list's filters when they get one object; of those only the
// environment matters.
func OwnID[ID ~string](r *Request, id *ID) error {
	*id = ID(strings.ToLower(string(*id)))
	query, err := ParseQuery(r.HTTP.URL.RawQuery, r.Environment)
	if err != nil {
		return err
	}
	if query.None || !millrace.IsID(string(*id)) {
		return millrace.NotFound("object", millrace.Shorten(string(*id)))
	}
	return nil
}

// OnlyFlag checks the query of a route with no parameter but one, which is true or false.
func (r *Request) OnlyFlag(flag string) error {
	query, err := url.ParseQuery(r.HTTP.URL.RawQuery)
	if err != nil {
		return millrace.Invalid(flag, "the query is not percent-encoded correctly")
	}
	for name, values := range query {
		switch {
		case name != flag:
			f := millrace.Failure{Path: millrace.Shorten(name), Message: "is not a parameter of this route"}
			f.Suggest(name, []string{flag})
			return millrace.InvalidAll([]millrace.Failure{f})
		case len(values) > 1 || values[0] != "true" && values[0] != "false":
			return millrace.Invalid(flag, "must be true or false, once")
		}
	}
	return nil
}

// Identity is what a client may choose when it creates an object.
type Identity struct {
	ID            string `json:"id,omitempty" format:"uuid" doc:"The new object's id; a random UUID when absent." example:"3f1a6a1e-7c0d-4b7e-9d55-0b7a3d1c2e4f"`
	EnvironmentID string `json:"environment_id,omitempty" format:"uuid" doc:"The environment of the token; another one is not found."`
}

// Own prepares a new object's id and checks that it is meant for the environment of the token.
func (i *Identity) Own(environment millrace.EnvironmentID) error {
	i.ID = strings.ToLower(i.ID)
	if i.EnvironmentID != "" && !strings.EqualFold(i.EnvironmentID, string(environment)) {
		return millrace.NotFound("environment", i.EnvironmentID)
	}
	return nil
}

// Opt is a member of a PATCH body: absent, null, or a value.
type Opt[T any] struct {
	Sent  bool
	Null  bool
	Value T
}

// UnmarshalJSON notes that the member was sent. encoding/json calls it for null as well.
func (o *Opt[T]) UnmarshalJSON(b []byte) error {
	o.Sent = true
	if bytes.Equal(b, []byte("null")) {
		o.Null = true
		return nil
	}
	return json.Unmarshal(b, &o.Value)
}

// Schema is that of the value, or null.
func (o Opt[T]) Schema(r huma.Registry) *huma.Schema {
	t := typeOf[T]()
	s := huma.Schema{}
	if t.Kind() == reflect.Struct { // it stands here as a whole, and is no component that nothing names
		s = *huma.SchemaFromType(r, t)
	} else {
		s = *r.Schema(t, false, "")
	}
	s.Nullable = true
	return &s
}

// Or returns the value that was sent, otherwise what is there already. Null means the zero value.
func (o Opt[T]) Or(old T) T {
	if o.Sent {
		return o.Value
	}
	return old
}

// Object is a JSON object that is kept as it was sent.
type Object struct{ json.RawMessage }

// Schema allows any members.
func (Object) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
}

// Array is a JSON array that is kept as it was sent.
type Array struct{ json.RawMessage }

// Schema allows any elements.
func (Array) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeArray, Items: &huma.Schema{}}
}

// RawOr returns what was sent, or fallback when nothing or null was.
func RawOr(raw json.RawMessage, fallback string) json.RawMessage {
	if len(raw) == 0 || string(raw) == "null" {
		return json.RawMessage(fallback)
	}
	return raw
}

// SentRaw returns what was sent, fallback for null, and old when nothing was sent.
func SentRaw[T interface{ raw() json.RawMessage }](o Opt[T], old json.RawMessage, fallback string) json.RawMessage {
	if !o.Sent {
		return old
	}
	return RawOr(o.Value.raw(), fallback)
}

func (o Object) raw() json.RawMessage { return o.RawMessage }

func (a Array) raw() json.RawMessage { return a.RawMessage }

// RawTexts encodes a list of texts; null when there is none.
func RawTexts(list []string) json.RawMessage {
	raw, _ := json.Marshal(list) // texts can always be encoded
	return raw
}
