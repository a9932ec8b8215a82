package store

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace"
)

// Limits of one list's query.
const (
	maxListValues = 999 // of in and nin
	maxMembers    = 20  // that the name of a field may go down into a document
)

var memberName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)

// expression is what a filter or sort compares.
type expression struct {
	sql  string
	kind kind
}

// expressionOf finds the column, virtual name or document member that a wire name stands for.
func (t *table[T]) expressionOf(field string) (expression, error) {
	if v, ok := t.virtual[field]; ok {
		return expression{v.expr, v.kind}, nil
	}
	head, rest, dotted := strings.Cut(field, ".")
	for _, c := range t.columns {
		if c.name != head || c.kind == kindHidden {
			continue
		}
		if !dotted && c.kind != kindDocument {
			return expression{"t." + c.name, c.kind}, nil
		}
		path := strings.Split(rest, ".")
		if len(path) > maxMembers {
			return expression{}, millrace.Invalid(c.name, "a filter goes deeper into it than %d members", maxMembers)
		}
		if dotted && c.kind == kindDocument && !slices.ContainsFunc(path, func(p string) bool { return !memberName.MatchString(p) }) {
			return expression{t.dialect.member("t."+c.name, path), kindText}, nil
		}
	}
	e := millrace.Invalid(field, "%s has no field %q to filter or sort by; known are %s", t.what, field, strings.Join(t.filterNames(), ", "))
	return expression{}, e
}

func (t *table[T]) filterNames() []string {
	var names []string
	for _, c := range t.columns {
		switch c.kind {
		case kindHidden:
		case kindDocument:
			names = append(names, c.name+".<member>")
		case kindText, kindBool, kindInt, kindTime:
			names = append(names, c.name)
		}
	}
	for name := range t.virtual {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// argument converts a filter's text to the type of the column.
func argument(field, value string, k kind) (any, error) {
	switch k {
	case kindBool:
		b, err := strconv.ParseBool(value)
		if err != nil {
			return nil, millrace.Invalid(field, "%q is not true or false", value)
		}
		return b, nil
	case kindInt:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return nil, millrace.Invalid(field, "%q is not a whole number", value)
		}
		return n, nil
	case kindTime:
		return parseTime(field, value)
	case kindText, kindDocument, kindHidden:
	}
	return value, nil
}

func parseTime(field, value string) (int64, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", time.DateTime, time.DateOnly} {
		if at, err := time.Parse(layout, value); err == nil {
			return int64(millrace.TimeOf(at)), nil
		}
	}
	return 0, millrace.Invalid(field, "%q is not an ISO 8601 date or time", value)
}

// clause collects conditions and their arguments.
type clause struct {
	conditions []string
	args       []any
}

func (c *clause) bind(v any) string {
	c.args = append(c.args, v)
	return "$" + strconv.Itoa(len(c.args))
}

func (t *table[T]) filter(c *clause, f millrace.Filter) error {
	e, err := t.expressionOf(f.Field)
	if err != nil {
		return err
	}
	if len(f.Values) == 0 || len(f.Values) > maxListValues {
		return millrace.Invalid(f.Field, "needs 1 to %d values, has %d", maxListValues, len(f.Values))
	}
	var bound []string
	for _, v := range f.Values {
		k := e.kind
		if f.Op == millrace.OpLike {
			k = kindText
		}
		arg, err := argument(f.Field, v, k)
		if err != nil {
			return err
		}
		bound = append(bound, c.bind(arg))
	}
	condition, err := t.compare(f, e, bound)
	if err != nil {
		return err
	}
	c.conditions = append(c.conditions, condition)
	return nil
}

func (t *table[T]) compare(f millrace.Filter, e expression, bound []string) (string, error) {
	symbols := map[millrace.Operator]string{
		millrace.OpEq: "=", millrace.OpNe: "<>", millrace.OpGt: ">", millrace.OpGte: ">=", millrace.OpLt: "<", millrace.OpLte: "<=",
	}
	switch f.Op {
	case millrace.OpIn:
		return e.sql + " IN (" + strings.Join(bound, ", ") + ")", nil
	case millrace.OpNin:
		return e.sql + " NOT IN (" + strings.Join(bound, ", ") + ")", nil
	case millrace.OpLike:
		return t.dialect.like(t.dialect.text(e), bound[0]), nil
	case millrace.OpEq, millrace.OpNe, millrace.OpGt, millrace.OpGte, millrace.OpLt, millrace.OpLte:
		if len(bound) > 1 {
			return "", millrace.Invalid(f.Field, "%s takes one value, has %d; use in for several", f.Op, len(bound))
		}
		return e.sql + " " + symbols[f.Op] + " " + bound[0], nil
	}
	return "", millrace.Invalid(f.Field, "unknown operator %q; known are eq, ne, gt, gte, lt, lte, in, nin, like", string(f.Op))
}

// order is one element of a list's sort order.
type order struct {
	expression
	field string
	desc  bool
}

// orders returns the whole sort order: what was asked for, and the id to make it total.
func (t *table[T]) orders(q millrace.Query) ([]order, error) {
	sorts := q.Sort
	if len(sorts) == 0 {
		sorts = []millrace.Sort{{Field: "created_at", Desc: true}}
	}
	var out []order
	for _, s := range sorts {
		e, err := t.expressionOf(s.Field)
		if err != nil {
			return nil, err
		}
		out = append(out, order{e, s.Field, s.Desc})
	}
	return append(out, order{expression{"t.id", kindText}, "id", out[len(out)-1].desc}), nil
}

// cursor is where a page ended: the sort order and the values of its last row.
type cursor struct {
	Order  string `json:"o"`
	Values []any  `json:"v"`
}

func orderName(orders []order) string {
	var b strings.Builder
	for _, o := range orders {
		fmt.Fprintf(&b, "%s %t,", o.field, o.desc)
	}
	return b.String()
}

// after adds the condition that a row comes after the cursor.
func (t *table[T]) after(c *clause, orders []order, text string) error {
	bad := millrace.Invalid("next_cursor", "is not a cursor that this list returned")
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return bad
	}
	var cur cursor
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.UseNumber()
	if err := decoder.Decode(&cur); err != nil || cur.Order != orderName(orders) || len(cur.Values) != len(orders) {
		return bad
	}
	var alternatives []string
	equal := ""
	for i, o := range orders {
		v := cur.Values[i]
		if n, ok := v.(json.Number); ok {
			whole, err := n.Int64()
			if err != nil {
				return bad
			}
			v = whole
		}
		if text, ok := v.(string); !cursorFits(v, o.kind) || ok && !t.dialect.holds(text) {
			return bad
		}
		p := c.bind(v)
		op := ">"
		if o.desc {
			op = "<"
		}
		alternatives = append(alternatives, fmt.Sprintf("(%s%s %s %s)", equal, o.sql, op, p))
		equal += fmt.Sprintf("%s = %s AND ", o.sql, p)
	}
	c.conditions = append(c.conditions, "("+strings.Join(alternatives, " OR ")+")")
	return nil
}

func cursorFits(v any, k kind) bool {
	switch v.(type) {
	case string:
		return k == kindText
	case int64:
		return k == kindInt || k == kindTime
	case bool:
		return k == kindBool
	}
	return false
}

// list returns one page of the rows of an environment; with an empty env, of all rows.
func (t *table[T]) list(ctx context.Context, tx *Tx, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[T], error) {
	c := &clause{}
	if t.root {
		c.conditions = append(c.conditions, "t.id = "+c.bind(string(env)))
	} else {
		c.conditions = append(c.conditions, "t.environment_id = "+c.bind(string(env)))
	}
	for _, f := range q.Filters {
		if err := t.filter(c, f); err != nil {
			return millrace.Page[T]{}, err
		}
	}
	orders, err := t.orders(q)
	if err != nil {
		return millrace.Page[T]{}, err
	}
	if q.Cursor != "" {
		if err := t.after(c, orders, q.Cursor); err != nil {
			return millrace.Page[T]{}, err
		}
	}
	if q.Limit <= 0 || q.Limit > millrace.MaxLimit {
		q.Limit = millrace.MaxLimit
	}
	return t.page(ctx, tx, c, orders, q.Limit)
}

func (t *table[T]) page(ctx context.Context, tx *Tx, c *clause, orders []order, limit int) (millrace.Page[T], error) {
	page := millrace.Page[T]{Result: []T{}, Limit: limit}
	var by, keys []string
	for _, o := range orders {
		direction := " ASC"
		if o.desc {
			direction = " DESC"
		}
		by = append(by, o.sql+direction)
		keys = append(keys, o.sql)
	}
	query := fmt.Sprintf("SELECT %s, %s FROM %s AS t WHERE %s ORDER BY %s LIMIT %d", prefixed("t.", t.columns), strings.Join(keys, ", "),
		t.name, strings.Join(c.conditions, " AND "), strings.Join(by, ", "), limit+1)
	var last []any
	more := false
	err := tx.each(ctx, query, c.args, func(r rows) error {
		if len(page.Result) == limit {
			more = true
			return nil
		}
		v := new(T)
		values := keyDests(orders)
		if err := r.Scan(append(t.dests(v), values...)...); err != nil {
			return err
		}
		page.Result = append(page.Result, *v)
		last = values
		return nil
	})
	if err != nil {
		return page, fmt.Errorf("list %s rows: %w", t.what, err)
	}
	if more {
		text, err := json.Marshal(cursor{orderName(orders), last})
		if err != nil {
			return page, fmt.Errorf("encode cursor: %w", err)
		}
		next := base64.RawURLEncoding.EncodeToString(text)
		page.NextCursor = &next
	}
	return page, nil
}

func keyDests(orders []order) []any {
	out := make([]any, len(orders))
	for i, o := range orders {
		switch o.kind {
		case kindInt, kindTime:
			out[i] = new(int64)
		case kindBool:
			out[i] = new(bool)
		case kindText, kindDocument, kindHidden:
			out[i] = new(string)
		}
	}
	return out
}

func prefixed[T any](prefix string, columns []column[T]) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = prefix + c.name
	}
	return strings.Join(names, ", ")
}
