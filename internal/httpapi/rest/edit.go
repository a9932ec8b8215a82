package rest

import (
	"context"
	"strconv"

	"github.com/millrace/millrace"
)

// Edit is how an editor in the same process asks a route for a change, of what has definitions: the body is the whole definition, so that
// what it leaves out is gone, and not left as it was.
type Edit struct {
	Check bool   // everything is checked, and nothing is stored
	Base  string // the version that the text began with; a row that is another one by now is a conflict. Empty: of a row that is created
}

type editKey struct{}

// Editing returns a context in which a request to a [Router] of the same process is made by an editor.
func Editing(ctx context.Context, e Edit) context.Context {
	return context.WithValue(ctx, editKey{}, &e)
}

// EditOf returns how an editor asks for a change; nil: the request is another.
func EditOf(ctx context.Context) *Edit {
	e, _ := ctx.Value(editKey{}).(*Edit)
	return e
}

// BaseOf returns the version that a text begins with, which is made of a workflow, a sync job or an environment.
func BaseOf(row any) string {
	switch v := row.(type) {
	case *millrace.Workflow:
		return strconv.FormatInt(v.Version, 10)
	case *millrace.SyncJob:
		return strconv.FormatInt(int64(v.UpdatedAt), 10)
	case *millrace.Environment:
		return strconv.FormatInt(int64(v.UpdatedAt), 10)
	}
	return ""
}

// Whole reports whether the body is the whole definition.
func (e *Edit) Whole() bool { return e != nil }

// OnlyChecks reports whether nothing is stored.
func (e *Edit) OnlyChecks() bool { return e != nil && e.Check }

// Fits returns an error of KindConflict when an editor saves what began with another version of a row than there is now.
func (e *Edit) Fits(row any) error {
	if e == nil || e.Check || e.Base == BaseOf(row) {
		return nil
	}
	return millrace.Errorf(millrace.KindConflict, "it was changed since this text began")
}

// Whole reports whether an editor makes the request, so that its body is a whole definition.
func (r *Request) Whole() bool { return EditOf(r.HTTP.Context()).Whole() }
