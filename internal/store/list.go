package store

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
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
	for i, o := range orders {
		if n, ok := cur.Values[i].(json.Number); ok {
			whole, err := n.Int64()
			if err != nil {
				return bad
			}
			cur.Values[i] = whole
		}
		if text, ok := cur.Values[i].(string); !cursorFits(cur.Values[i], o.kind) || ok && !t.dialect.holds(text) {
			return bad
		}
	}
	follow(c, orders, cur.Values)
	return nil
}

// follow adds the condition that a row comes after the one with these values.
func follow(c *clause, orders []order, values []any) {
	var alternatives []string
	equal := ""
	for i, o := range orders {
		p := c.bind(values[i])
		op := ">"
		if o.desc {
			op = "<"
		}
		alternatives = append(alternatives, fmt.Sprintf("(%s%s %s %s)", equal, o.sql, op, p))
		equal += fmt.Sprintf("%s = %s AND ", o.sql, p)
	}
	c.conditions = append(c.conditions, "("+strings.Join(alternatives, " OR ")+")")
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
	switch {
	case t.root && env == "":
		c.conditions = append(c.conditions, "t.deleting_at = 0")
	case t.root:
		c.conditions = append(c.conditions, "t.id = "+c.bind(string(env)))
	default:
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
	return t.page(ctx, tx, c, orders, q)
}

// A page that is bounded in bytes is read in parts on PostgreSQL, which sends all rows of a query whether they are wanted
// or not: first some, then as many as should fit if they are like those.
const (
	firstRows = 16
	moreRows  = 1024
)

// page reads a page: at most so many rows, at most so many bytes, but one row at least.
func (t *table[T]) page(ctx context.Context, tx *Tx, c *clause, orders []order, q millrace.Query) (millrace.Page[T], error) {
	page := millrace.Page[T]{Result: []T{}, Limit: q.Limit}
	s := &scan[T]{table: t, orders: orders, rows: page.Result, limit: q.Limit, maxBytes: q.MaxBytes}
	n := q.Limit + 1
	inParts := q.MaxBytes > 0 && tx.Pgx() != nil
	if inParts {
		n = min(n, firstRows)
	}
	for {
		part := &clause{conditions: slices.Clone(c.conditions), args: slices.Clone(c.args)}
		if s.last != nil {
			s.follow(part)
		}
		before := len(s.rows)
		if err := s.read(ctx, tx, part, n); err != nil {
			return page, fmt.Errorf("list %s rows: %w", t.what, err)
		}
		if s.more || !inParts || len(s.rows)-before < n {
			break
		}
		n = min(q.Limit+1-len(s.rows), moreRows, max((q.MaxBytes-s.bytes)*len(s.rows)/s.bytes, firstRows))
	}
	page.Result = s.rows
	if s.more {
		text, err := json.Marshal(cursor{orderName(orders), s.last})
		if err != nil {
			return page, fmt.Errorf("encode cursor: %w", err)
		}
		next := base64.RawURLEncoding.EncodeToString(text)
		page.NextCursor = &next
	}
	return page, nil
}

// scan is a page while it is read.
type scan[T any] struct {
	table           *table[T]
	orders          []order
	rows            []T
	bytes           int
	limit, maxBytes int
	last            []any // where the last row stands
	more            bool  // there are rows that the page has no room for
}

// errEnough ends a scan early.
var errEnough = errors.New("store: the page is full")

// read adds up to n rows that meet the conditions.
func (s *scan[T]) read(ctx context.Context, tx *Tx, c *clause, n int) error {
	t := s.table
	var by, keys []string
	for _, o := range s.orders {
		direction := " ASC"
		if o.desc {
			direction = " DESC"
		}
		by = append(by, o.sql+direction)
		keys = append(keys, o.sql)
	}
	query := fmt.Sprintf("SELECT %s, %s FROM %s AS t WHERE %s ORDER BY %s LIMIT %d", prefixed("t.", t.columns), strings.Join(keys, ", "),
		t.name, strings.Join(c.conditions, " AND "), strings.Join(by, ", "), n)
	err := tx.each(ctx, query, c.args, s.add)
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// add adds a row if the page has room for it.
func (s *scan[T]) add(r rows) error {
	if s.more = len(s.rows) == s.limit; s.more {
		return errEnough
	}
	v := new(T)
	values := keyDests(s.orders)
	if err := r.Scan(append(s.table.dests(v), values...)...); err != nil {
		return err
	}
	size := s.table.size(v)
	if s.more = s.maxBytes > 0 && len(s.rows) > 0 && s.bytes+size > s.maxBytes; s.more {
		return errEnough
	}
	s.rows, s.bytes, s.last = append(s.rows, *v), s.bytes+size, values
	return nil
}

// follow adds the condition that a row comes after the last one.
func (s *scan[T]) follow(c *clause) {
	values := make([]any, len(s.last))
	for i, v := range s.last {
		switch v := v.(type) {
		case *int64:
			values[i] = *v
		case *bool:
			values[i] = *v
		case *string:
			values[i] = *v
		}
	}
	follow(c, s.orders, values)
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
