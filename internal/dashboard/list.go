package dashboard

import (
	"context"
	"maps"
	"net/url"
	"slices"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// perPage is how many rows a page of a list has.
const perPage = 50

// list is a page of rows.
type list[T any] struct {
	Rows    []T
	Next    string // address of the page behind this one; empty: there is none
	Filters []filter
	Labels  map[string]string // of what the rows are about, by id
	Form    url.Values        // what is filtered by
	Note    string            // why the list ends here
}

// filter is a choice of what a list shows.
type filter struct {
	Name, Href string
	On         bool
}

// query reads what a list is asked for. fields are those that it can be filtered by.
func (r *request) query(fields ...string) millrace.Query {
	q := millrace.Query{Limit: perPage, Cursor: r.URL.Query().Get("cursor"), MaxBytes: millrace.MaxPageBytes}
	for _, f := range fields {
		if v := r.URL.Query().Get(f); v != "" {
			q.Filters = append(q.Filters, millrace.Filter{Field: f, Op: millrace.OpEq, Values: []string{v}})
		}
	}
	return q
}

// next returns the address of the page behind this one.
func (r *request) next(cursor *string) string {
	if cursor == nil {
		return ""
	}
	q := r.URL.Query()
	q.Set("cursor", *cursor)
	q.Del("done")
	return r.URL.Path + "?" + q.Encode()
}

// choices are the filters by one field, and all.
func choices[S ~string](r *request, field string, values []S) []filter {
	now := r.URL.Query().Get(field)
	out := []filter{{"all", r.URL.Path, now == ""}}
	for _, v := range values {
		out = append(out, filter{string(v), r.URL.Path + "?" + url.Values{field: {string(v)}}.Encode(), now == string(v)})
	}
	return out
}

// listed reads a page of a list.
func listed[T any](h *Handler, r *request, get func(context.Context, *store.Tx, millrace.Query) (millrace.Page[T], error), fields ...string) (*list[T], error) {
	v := new(list[T])
	err := h.DB.View(r.Context(), func(tx *store.Tx) error {
		page, err := get(r.Context(), tx, r.query(fields...))
		v.Rows, v.Next, v.Form = page.Result, r.next(page.NextCursor), r.URL.Query()
		return err
	})
	return v, err
}

// labels reads what the rows of a list are about.
func labels[T any](h *Handler, r *request, l *list[T], kind string, id func(*T) string) error {
	var ids []string
	for i := range l.Rows {
		if v := id(&l.Rows[i]); v != "" && !slices.Contains(ids, v) {
			ids = append(ids, v)
		}
	}
	if l.Labels == nil {
		l.Labels = map[string]string{}
	}
	return h.DB.View(r.Context(), func(tx *store.Tx) error {
		found, err := store.ViewsOf(tx).Labels(r.Context(), r.env.ID, kind, ids)
		maps.Copy(l.Labels, found)
		return err
	})
}

// picked makes a list of the rows with some ids, which is a page of its own: what a filter finds by an index, and the list behind it would not.
func picked[T any, ID ~string](
	h *Handler, r *request, note string, find func(context.Context, *store.Tx) ([]ID, error), get func(context.Context, *store.Tx, ID) (*T, error),
) (*list[T], error) {
	v := &list[T]{Form: r.URL.Query()}
	err := h.DB.View(r.Context(), func(tx *store.Tx) error {
		ids, err := find(r.Context(), tx)
		if err != nil {
			return err
		}
		for _, id := range ids {
			row, err := absent(get(r.Context(), tx, id))
			if err != nil {
				return err
			}
			if row != nil {
				v.Rows = append(v.Rows, *row)
			}
		}
		if len(ids) >= perPage {
			v.Note = note
		}
		return nil
	})
	return v, err
}
