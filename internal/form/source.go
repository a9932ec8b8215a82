package form

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/connect"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/fetch/field"
	"github.com/millrace/millrace/internal/provider"
	"github.com/millrace/millrace/jsonata"
)

// Bounds of a list.
const (
	shownOptions = 50               // that one answer shows
	firstPages   = 5                // of the provider, until there is something to show
	searchPages  = 60               // of the provider, that one search goes through before it asks whether to go on
	searchTime   = 8 * time.Second  // after which it asks, too
	listTime     = 20 * time.Second // that a page waits for all of its lists
	maxLabel     = 200              // of a label, in runes
	maxValue     = 2 << 10          // of a value, in bytes; what is longer is not offered
	maxSearch    = 200              // of what is searched for, in bytes
	maxCursor    = 8 << 10
	maxDetail    = 300
)

// What is kept of lists for a moment, so that a search that is typed letter by letter asks the provider once. Both together hold about
// 64 MB at most.
const (
	listLife   = time.Minute
	smallLists = 1024
	smallList  = 32 << 10
	largeLists = 8
	largeList  = 4 << 20
)

// item is a record as an option.
type item struct {
	value            expr.Value
	label, sub, fold string // fold is what is searched
}

// listed is a page of a provider, as options.
type listed struct {
	items []item
	next  string
}

// Listing is a part of the options of a select.
type Listing struct {
	Options []Option
	Next    string // where the rest begins; empty: this is all
	Found   bool   // false: nothing was found so far, and there is more to look through
}

// query is what a list is asked for.
type query struct {
	id    string
	query *expr.Object
	body  expr.Value
	key   string // of these
}

// list returns the options of a select from a place on.
func (f *Forms) list(ctx context.Context, v *Visit, in *config.FormField, scope *expr.Object, data []byte, search, from string) (*Listing, error) {
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	q, err := f.render(in.Source, scope, search)
	if err != nil {
		return nil, err
	}
	wanted := ""
	if !in.Source.Searches {
		wanted = connect.Fold(strings.TrimSpace(search))
	}
	offset, cursor := place(from)
	most := firstPages
	if wanted != "" {
		most = searchPages
	}
	out, began := &Listing{}, f.Clock()
	for range most {
		page, err := f.page(ctx, v, in, q, cursor)
		if err != nil {
			return nil, err
		}
		for i := min(offset, len(page.items)); i < len(page.items); i++ {
			it := &page.items[i]
			if wanted != "" && !strings.Contains(it.fold, wanted) {
				continue
			}
			if len(out.Options) == shownOptions {
				out.Next = at(i, cursor)
				return out, nil
			}
			option, err := f.seals(Option{Label: it.label, Sub: it.sub, value: it.value}, data)
			if err != nil {
				return nil, err
			}
			out.Options, out.Found = append(out.Options, option), true
		}
		if page.next == "" || page.next == cursor {
			out.Next, out.Found = "", true
			return out, nil
		}
		offset, cursor, out.Next = 0, page.next, at(0, page.next)
		if len(out.Options) == shownOptions || f.Clock().Sub(began) > searchTime {
			return out, nil
		}
	}
	return out, nil
}

// at names a place in a list, and place reads it.
func at(offset int, cursor string) string { return strconv.Itoa(offset) + "." + cursor }

func place(text string) (int, string) {
	first, cursor, _ := strings.Cut(text, ".")
	offset, err := strconv.Atoi(first)
	if err != nil || offset < 0 || len(cursor) > maxCursor {
		return 0, ""
	}
	return offset, cursor
}

// render fills in what a list is asked for.
func (f *Forms) render(s *config.DataSource, scope *expr.Object, search string) (*query, error) {
	q := &query{}
	with := expr.CopyObject(scope, scopeRoom)
	if s.Searches && search != "" {
		with.Set("search", search)
	}
	var err error
	if q.id, err = s.ID.Text(with); err != nil {
		return nil, err
	}
	if q.query, err = s.Query.Object(with); err != nil {
		return nil, err
	}
	if q.body, err = s.Body.Render(with); err != nil {
		return nil, err
	}
	if o, ok := q.body.(*expr.Object); ok {
		q.body = field.DropMissing(o)
	}
	raw, err := expr.EncodeJSON(jsonata.NewArray(q.id, q.query, q.body))
	q.key = string(raw)
	return q, err
}

// page asks the provider for a page, unless it is known.
func (f *Forms) page(ctx context.Context, v *Visit, in *config.FormField, q *query, cursor string) (*listed, error) {
	s := in.Source
	sum := sha256.Sum256([]byte(strings.Join([]string{
		string(v.row.EnvironmentID), string(v.AccountID), strconv.FormatInt(int64(v.row.UpdatedAt), 10), in.Path, s.Resource, s.Method, q.key, cursor,
	}, "\x00")))
	key := hex.EncodeToString(sum[:])
	if known, ok := f.small.Get(key); ok {
		return known, nil
	}
	if known, ok := f.large.Get(key); ok {
		return known, nil
	}
	call := &provider.Call{
		EnvironmentID: v.row.EnvironmentID, AccountID: v.AccountID, Resource: s.Resource, Method: s.Method, Read: true,
		ID: q.id, Query: expr.CopyObject(expr.OrEmpty(q.query), 0), Body: q.body, Cursor: cursor,
	}
	response, err := f.Proxy.Call(ctx, call)
	if response != nil {
		defer response.Lease.Release()
	}
	switch {
	case err != nil && ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded):
		return nil, &Error{Message: "form_list", Detail: "the provider has taken too long", Retry: true, Visit: v}
	case err != nil && isOurs(err):
		return nil, err
	case err != nil:
		return nil, &Error{Message: "form_list", Detail: shorten(err.Error(), maxDetail), Visit: v}
	case response.Rejected != nil:
		return nil, &Error{Message: "form_list", Detail: shorten(response.Rejected.Message, maxDetail), Retry: true, Visit: v}
	}
	out, size, err := f.items(ctx, s, v, response)
	if err != nil {
		f.Logger.WarnContext(ctx, "the options of a form cannot be read", slog.String("environment_id", string(v.row.EnvironmentID)),
			slog.String("integration", v.Integration), slog.String("resource", s.Resource), slog.Any("err", err))
		return nil, &Error{Message: "form_list", Detail: "what came cannot be read as a list", Visit: v}
	}
	switch {
	case size <= smallList:
		f.small.Set(key, out)
	case size <= largeList:
		f.large.Set(key, out)
	}
	return out, nil
}

// isOurs reports an error that says nothing about the config or the provider.
func isOurs(err error) bool {
	known := []millrace.Kind{millrace.KindInvalid, millrace.KindNotFound, millrace.KindReadOnly, millrace.KindUnavailable, millrace.KindRateLimited}
	return !slices.Contains(known, millrace.KindOf(err))
}

// items reads the records of a response as options, and how much they take.
func (f *Forms) items(ctx context.Context, s *config.DataSource, v *Visit, response *provider.Response) (*listed, int, error) {
	data := response.Data
	if _, binary := data.(*expr.File); binary || response.Binary {
		return nil, 0, errors.New("it is a file")
	}
	if s.Expression != nil {
		scope := expr.CopyObject(v.public, scopeRoom)
		scope.Set("context", v.public)
		scope.Set("records", data)
		var err error
		if data, err = f.eval(ctx, s.Expression, scope); err != nil {
			return nil, 0, err
		}
	}
	out, size := &listed{next: response.Next}, 0
	for _, record := range recordsOf(data) {
		value := record
		switch record.(type) {
		case *expr.Object:
			value = expr.Lookup(record, s.Value)
		case *expr.Array:
			continue
		}
		text := expr.Text(value)
		if _, object := value.(*expr.Object); object || text == "" || len(text) > maxValue {
			continue
		}
		it := item{value: value, label: text}
		if _, object := record.(*expr.Object); object {
			if label := strings.TrimSpace(expr.Text(expr.Lookup(record, s.Label))); label != "" {
				it.label = label
			}
			if s.SubText != "" {
				it.sub = shorten(expr.Text(expr.Lookup(record, s.SubText)), maxLabel)
			}
		}
		it.label = shorten(it.label, maxLabel)
		it.fold = connect.Fold(it.label + "\n" + it.sub)
		size += 2*(len(it.label)+len(it.sub)) + len(text) + 64
		out.items = append(out.items, it)
	}
	return out, size, nil
}

func recordsOf(v expr.Value) []expr.Value {
	switch v := v.(type) {
	case nil, expr.Null:
		return nil
	case *expr.Array:
		return v.Items()
	}
	return []expr.Value{v}
}

// shorten makes a text of a provider fit for a page.
func shorten(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return ' '
		}
		return r
	}, text)
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most]) + "..."
}

// scopeRoom is how many members a scope of a form gets beside those of the context.
const scopeRoom = 8

// eval evaluates an expression of a form.
func (f *Forms) eval(ctx context.Context, p *expr.Program, scope *expr.Object) (expr.Value, error) {
	limits := expr.LimitsTransform()
	limits.Timeout = time.Second
	return p.EvalInput(ctx, expr.Input{Data: scope, Limits: limits, Now: f.Clock})
}
