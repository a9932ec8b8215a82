package table

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store/sqldb"
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
	kind Kind
}

// expressionOf finds the column, virtual name or document member that a wire name stands for.
func (t *Table[T]) expressionOf(d sqldb.Dialect, field string) (expression, error) {
	if v, ok := t.Virtual[field]; ok {
		return expression{v.expr, v.kind}, nil
	}
	head, rest, dotted := strings.Cut(field, ".")
	for _, c := range t.Columns {
		if c.name != head || c.kind == KindHidden {
			continue
		}
		if !dotted && c.kind != KindDocument {
			return expression{"t." + c.name, c.kind}, nil
		}
		path := strings.Split(rest, ".")
		if len(path) > maxMembers {
			return expression{}, millrace.Invalid(c.name, "a filter goes deeper into it than %d members", maxMembers)
		}
		if dotted && c.kind == KindDocument && !slices.ContainsFunc(path, func(p string) bool { return !memberName.MatchString(p) }) {
			return expression{d.Member("t."+c.name, path), KindText}, nil
		}
	}
	e := millrace.Invalid(field, "%s has no field %q to filter or sort by; known are %s", t.What, field, strings.Join(t.filterNames(), ", "))
	return expression{}, e
}

func (t *Table[T]) filterNames() []string {
	var names []string
	for _, c := range t.Columns {
		switch c.kind {
		case KindHidden:
		case KindDocument:
			names = append(names, c.name+".<member>")
		case KindText, KindBool, KindInt, KindTime:
			names = append(names, c.name)
		}
	}
	for name := range t.Virtual {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// argument converts a filter's text to the type of the column.
func argument(field, value string, k Kind) (any, error) {
	switch k {
	case KindBool:
		b, err := strconv.ParseBool(value)
		if err != nil {
			return nil, millrace.Invalid(field, "%q is not true or false", value)
		}
		return b, nil
	case KindInt:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return nil, millrace.Invalid(field, "%q is not a whole number", value)
		}
		return n, nil
	case KindTime:
		return parseTime(field, value)
	case KindText, KindDocument, KindHidden:
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

// Clause collects conditions and their arguments.
type Clause struct {
	Conditions []string
	Args       []any
}

// Bind adds an argument and returns its placeholder.
func (c *Clause) Bind(v any) string {
	c.Args = append(c.Args, v)
	return "$" + strconv.Itoa(len(c.Args))
}

// Filter adds the condition of a filter. It returns an error of KindInvalid for a field, operator or value that does not fit.
func (t *Table[T]) Filter(d sqldb.Dialect, c *Clause, f millrace.Filter) error {
	e, err := t.expressionOf(d, f.Field)
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
			k = KindText
		}
		arg, err := argument(f.Field, v, k)
		if err != nil {
			return err
		}
		bound = append(bound, t.operand(c, f.Field, v, k, arg))
	}
	condition, err := compare(d, f, e, bound)
	if err != nil {
		return err
	}
	c.Conditions = append(c.Conditions, condition)
	if f.Field == "status" && f.Op == millrace.OpEq && strings.Contains(t.Open, bound[0]) { // bound is a quoted status, or a placeholder
		c.Conditions = append(c.Conditions, e.sql+" "+t.Open)
	}
	return nil
}

// operand returns what a column is compared with. A status and a truth value are written out, so that an index of the rows that have it is
// used; both are of a closed set.
func (t *Table[T]) operand(c *Clause, field, value string, k Kind, arg any) string {
	if field == "status" && t.Status.Knows(value) {
		return "'" + value + "'"
	}
	if on, is := arg.(bool); is && k == KindBool {
		return strings.ToUpper(strconv.FormatBool(on))
	}
	return c.Bind(arg)
}

func compare(d sqldb.Dialect, f millrace.Filter, e expression, bound []string) (string, error) {
	symbols := map[millrace.Operator]string{
		millrace.OpEq: "=", millrace.OpNe: "<>", millrace.OpGt: ">", millrace.OpGte: ">=", millrace.OpLt: "<", millrace.OpLte: "<=",
	}
	switch f.Op {
	case millrace.OpIn:
		return e.sql + " IN (" + strings.Join(bound, ", ") + ")", nil
	case millrace.OpNin:
		return e.sql + " NOT IN (" + strings.Join(bound, ", ") + ")", nil
	case millrace.OpLike:
		return d.Like(d.Text(e.sql, e.kind == KindBool), bound[0]), nil
	case millrace.OpEq, millrace.OpNe, millrace.OpGt, millrace.OpGte, millrace.OpLt, millrace.OpLte:
		if len(bound) > 1 {
			return "", millrace.Invalid(f.Field, "%s takes one value, has %d; use in for several", f.Op, len(bound))
		}
		return e.sql + " " + symbols[f.Op] + " " + bound[0], nil
	}
	return "", millrace.Invalid(f.Field, "unknown operator %q; known are eq, ne, gt, gte, lt, lte, in, nin, like", string(f.Op))
}
