package rest

import (
	"context"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

// input is the input of a handler.
type input interface {
	Read(r *Request, b *BodyReader) error
}

// Reply is the output of a handler.
type Reply[T any] struct{ Body T }

// Handle registers one route: huma documents it and routes to it, the input reads the request, and whatever is wrong
// becomes the one form of errors.
func Handle[I, O any](h *Router, needed Need, route, summary string, fn func(context.Context, *I) (*O, error), options ...Option) {
	method, path, _ := strings.Cut(route, " ")
	d := &Doc{Op: huma.Operation{Method: method, Path: path, Summary: summary, SkipValidateParams: true}, body: &BodyReader{router: h}}
	for _, set := range options {
		set(d)
	}
	h.describe(d, needed, typeOf[I]())
	h.needed[route] = needed
	h.paths = append(h.paths, path)
	// What leads to a provider reserves its memory when the provider has responded.
	reads := needed == ofRead && method == http.MethodGet && typeOf[I]() != typeOf[RawIn]()
	huma.Register(h.huma, d.Op, func(ctx context.Context, in *I) (*O, error) {
		r := requestOf(ctx)
		if reads {
			var err error
			if r.w.read, err = r.Lease(ctx, h.cfg.Memory.Responses, roomOfRead, "another response"); err != nil {
				return nil, r.Reject(err)
			}
		}
		if err := any(in).(input).Read(r, d.body); err != nil {
			return nil, r.Reject(err)
		}
		if method != http.MethodGet {
			ctx = store.By(ctx, r.actor(ctx, route))
		}
		out, err := fn(store.OnBehalfOf(ctx, r.Environment), in)
		if err != nil {
			return nil, r.Reject(err)
		}
		if d.after != nil {
			d.after(ctx)
		}
		return out, nil
	})
	h.attachBody(d)
}

// Resource is what the handlers of one resource share: its rows in the store, and how they look on the wire.
type Resource[ID ~string, T, V any] struct {
	DB   *store.DB
	rows Rows[ID, T]
	view func(context.Context, *store.Tx, []T) ([]V, error)
}

// NewResource returns the handlers of rows in the store, which view shows on the wire.
func NewResource[ID ~string, T, V any](db *store.DB, r Rows[ID, T], view func(context.Context, *store.Tx, []T) ([]V, error)) *Resource[ID, T, V] {
	return &Resource[ID, T, V]{db, r, view}
}

// AsStored shows rows unchanged.
func AsStored[T any](_ context.Context, _ *store.Tx, rows []T) ([]T, error) { return rows, nil }

// Each shows rows one by one.
func Each[T, V any](view func(*T) V) func(context.Context, *store.Tx, []T) ([]V, error) {
	return func(_ context.Context, _ *store.Tx, rows []T) ([]V, error) {
		out := make([]V, len(rows))
		for i := range rows {
			out[i] = view(&rows[i])
		}
		return out, nil
	}
}

// List responds with a page of the rows that the query asks for.
func (r *Resource[ID, T, V]) List(ctx context.Context, in *ListIn) (*Reply[millrace.Page[V]], error) {
	out := &Reply[millrace.Page[V]]{Body: millrace.Page[V]{Result: []V{}, Limit: in.List.Limit}}
	if in.List.None {
		return out, nil
	}
	in.List.MaxBytes = millrace.MaxPageBytes
	err := r.DB.View(ctx, func(tx *store.Tx) error {
		page, err := r.rows.List(tx, ctx, in.Environment, in.List.Query)
		if err != nil {
			return err
		}
		out.Body.NextCursor, out.Body.Limit = page.NextCursor, page.Limit
		out.Body.Result, err = r.view(ctx, tx, page.Result)
		return err
	})
	return out, err
}

// Get responds with one row.
func (r *Resource[ID, T, V]) Get(ctx context.Context, in *GetIn[ID]) (*Reply[V], error) {
	var out *Reply[V]
	err := r.DB.View(ctx, func(tx *store.Tx) error {
		row, err := r.rows.Get(tx, ctx, in.Environment, in.ID)
		if err != nil {
			return err
		}
		out, err = r.Reply(ctx, tx, row)
		return err
	})
	return out, err
}

// Deleted is the response to a delete.
type Deleted struct {
	ID string `json:"id" format:"uuid" doc:"The id of the object that is gone."`
}

// Delete deletes one row.
func (r *Resource[ID, T, V]) Delete(ctx context.Context, in *GetIn[ID]) (*Reply[Deleted], error) {
	err := r.DB.Update(ctx, func(tx *store.Tx) error { return r.rows.delete(tx, ctx, in.Environment, in.ID) })
	return &Reply[Deleted]{Deleted{string(in.ID)}}, err
}

// Update runs fn in a transaction and responds with the row that it returns.
func (r *Resource[ID, T, V]) Update(ctx context.Context, fn func(tx *store.Tx) (*T, error)) (*Reply[V], error) {
	return store.Compute(ctx, r.DB, func(tx *store.Tx) (*Reply[V], error) {
		row, err := fn(tx)
		if err != nil {
			return nil, err
		}
		return r.Reply(ctx, tx, row)
	})
}

// Foresee returns what a change would make of a row. Its expressions are analysed before the transaction that stores it,
// so that nothing else waits for that.
func (r *Resource[ID, T, V]) Foresee(ctx context.Context, change func(tx *store.Tx) (*T, error)) (*T, error) {
	var row *T
	err := r.DB.View(ctx, func(tx *store.Tx) error {
		var err error
		row, err = change(tx)
		return err
	})
	return row, err
}

// Reply responds with a row that was read in a transaction.
func (r *Resource[ID, T, V]) Reply(ctx context.Context, tx *store.Tx, row *T) (*Reply[V], error) {
	shown, err := r.view(ctx, tx, []T{*row})
	if err != nil {
		return nil, err
	}
	return &Reply[V]{shown[0]}, nil
}

// Success is the response to an action.
type Success struct {
	Success bool `json:"success" doc:"Always true; a failure is an error."`
}

// Succeeded is the response to an action that has nothing else to say.
func Succeeded() *Reply[Success] { return &Reply[Success]{Success{true}} }
