package httpapi

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
	read(r *request, b *bodyReader) error
}

// reply is the output of a handler.
type reply[T any] struct{ Body T }

// handle registers one route: huma documents it and routes to it, the input reads the request, and whatever is wrong
// becomes the one form of refusal.
func handle[I, O any](a *api, who access, route, summary string, fn func(context.Context, *I) (*O, error), options ...option) {
	method, path, _ := strings.Cut(route, " ")
	d := &doc{op: huma.Operation{Method: method, Path: path, Summary: summary, SkipValidateParams: true}, body: &bodyReader{api: a}}
	for _, set := range options {
		set(d)
	}
	a.describe(d, who, typeOf[I]())
	a.access[route] = who
	a.paths = append(a.paths, path)
	// What leads to a provider reserves its memory when the provider has answered.
	reads := who == bearer && method == http.MethodGet && typeOf[I]() != typeOf[proxyIn]()
	huma.Register(a.huma, d.op, func(ctx context.Context, in *I) (*O, error) {
		r := requestOf(ctx)
		if reads {
			var err error
			if r.w.read, err = r.lease(ctx, a.cfg.Memory.Responses, roomOfRead, "another response"); err != nil {
				return nil, r.refuse(err)
			}
		}
		if err := any(in).(input).read(r, d.body); err != nil {
			return nil, r.refuse(err)
		}
		out, err := fn(store.OnBehalfOf(ctx, r.environment), in)
		if err != nil {
			return nil, r.refuse(err)
		}
		return out, nil
	})
	a.attachBody(d)
}

// noun is what the handlers of one resource share: the store's methods for it, and how its rows look on the wire.
type noun[ID ~string, T, V any] struct {
	api  *api
	one  func(*store.Tx, context.Context, millrace.EnvironmentID, ID) (*T, error)
	many func(*store.Tx, context.Context, millrace.EnvironmentID, millrace.Query) (millrace.Page[T], error)
	drop func(*store.Tx, context.Context, millrace.EnvironmentID, ID) error
	show func(context.Context, *store.Tx, []T) ([]V, error)
}

// asStored shows rows as they are.
func asStored[T any](_ context.Context, _ *store.Tx, rows []T) ([]T, error) { return rows, nil }

// each shows rows one by one.
func each[T, V any](show func(*T) V) func(context.Context, *store.Tx, []T) ([]V, error) {
	return func(_ context.Context, _ *store.Tx, rows []T) ([]V, error) {
		out := make([]V, len(rows))
		for i := range rows {
			out[i] = show(&rows[i])
		}
		return out, nil
	}
}

func (n *noun[ID, T, V]) list(ctx context.Context, in *listIn) (*reply[millrace.Page[V]], error) {
	out := &reply[millrace.Page[V]]{Body: millrace.Page[V]{Result: []V{}, Limit: in.List.Limit}}
	if in.List.none {
		return out, nil
	}
	in.List.MaxBytes = millrace.MaxPageBytes
	err := n.api.cfg.DB.View(ctx, func(tx *store.Tx) error {
		page, err := n.many(tx, ctx, in.Environment, in.List.Query)
		if err != nil {
			return err
		}
		out.Body.NextCursor, out.Body.Limit = page.NextCursor, page.Limit
		out.Body.Result, err = n.show(ctx, tx, page.Result)
		return err
	})
	return out, err
}

func (n *noun[ID, T, V]) get(ctx context.Context, in *getIn[ID]) (*reply[V], error) {
	var out *reply[V]
	err := n.api.cfg.DB.View(ctx, func(tx *store.Tx) error {
		row, err := n.one(tx, ctx, in.Environment, in.ID)
		if err != nil {
			return err
		}
		out, err = n.reply(ctx, tx, row)
		return err
	})
	return out, err
}

// deleted is the answer to a delete.
type deleted struct {
	ID string `json:"id" format:"uuid" doc:"The id of the object that is gone."`
}

func (n *noun[ID, T, V]) delete(ctx context.Context, in *getIn[ID]) (*reply[deleted], error) {
	err := n.api.cfg.DB.Update(ctx, func(tx *store.Tx) error { return n.drop(tx, ctx, in.Environment, in.ID) })
	return &reply[deleted]{deleted{string(in.ID)}}, err
}

// update runs fn in a transaction and answers with the row that it returns.
func (n *noun[ID, T, V]) update(ctx context.Context, fn func(tx *store.Tx) (*T, error)) (*reply[V], error) {
	return store.Compute(ctx, n.api.cfg.DB, func(tx *store.Tx) (*reply[V], error) {
		row, err := fn(tx)
		if err != nil {
			return nil, err
		}
		return n.reply(ctx, tx, row)
	})
}

// foresee returns what a change would make of a row. Its expressions are analysed before the transaction that stores it,
// so that nothing else waits for that.
func (n *noun[ID, T, V]) foresee(ctx context.Context, change func(tx *store.Tx) (*T, error)) (*T, error) {
	var row *T
	err := n.api.cfg.DB.View(ctx, func(tx *store.Tx) error {
		var err error
		row, err = change(tx)
		return err
	})
	return row, err
}

// notAnalysed is the warning about a row that became another one between its analysis and the transaction.
func notAnalysed() []millrace.Failure {
	return []millrace.Failure{{Message: "not analysed, because another request changed it at the same time; save it again to see its warnings"}}
}

func (n *noun[ID, T, V]) reply(ctx context.Context, tx *store.Tx, row *T) (*reply[V], error) {
	shown, err := n.show(ctx, tx, []T{*row})
	if err != nil {
		return nil, err
	}
	return &reply[V]{shown[0]}, nil
}

// success is the answer to an action.
type success struct {
	Success bool `json:"success" doc:"Always true; a failure is an error."`
}

func succeeded() *reply[success] { return &reply[success]{success{true}} }
