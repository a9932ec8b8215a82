package table

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store/sqldb"
)

// order is one element of a list's sort order.
type order struct {
	expression
	field string
	desc  bool
}

// orders returns the whole sort order: what was asked for, and the id to make it total.
func (t *Table[T]) orders(d sqldb.Dialect, q millrace.Query) ([]order, error) {
	sorts := q.Sort
	if len(sorts) == 0 {
		sorts = []millrace.Sort{{Field: "created_at", Desc: true}}
	}
	var out []order
	for _, s := range sorts {
		e, err := t.expressionOf(d, s.Field)
		if err != nil {
			return nil, err
		}
		out = append(out, order{e, s.Field, s.Desc})
	}
	return append(out, order{expression{"t.id", KindText}, "id", out[len(out)-1].desc}), nil
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
func after(d sqldb.Dialect, c *Clause, orders []order, text string) error {
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
		if text, ok := cur.Values[i].(string); !cursorFits(cur.Values[i], o.kind) || ok && !d.Holds(text) {
			return bad
		}
	}
	follow(c, orders, cur.Values)
	return nil
}

// follow adds the condition that a row comes after the one with these values.
func follow(c *Clause, orders []order, values []any) {
	var alternatives []string
	equal := ""
	for i, o := range orders {
		p := c.Bind(values[i])
		op := ">"
		if o.desc {
			op = "<"
		}
		alternatives = append(alternatives, fmt.Sprintf("(%s%s %s %s)", equal, o.sql, op, p))
		equal += fmt.Sprintf("%s = %s AND ", o.sql, p)
	}
	c.Conditions = append(c.Conditions, "("+strings.Join(alternatives, " OR ")+")")
}

func cursorFits(v any, k Kind) bool {
	switch v.(type) {
	case string:
		return k == KindText
	case int64:
		return k == KindInt || k == KindTime
	case bool:
		return k == KindBool
	}
	return false
}

func keyDests(orders []order) []any {
	out := make([]any, len(orders))
	for i, o := range orders {
		switch o.kind {
		case KindInt, KindTime:
			out[i] = new(int64)
		case KindBool:
			out[i] = new(bool)
		case KindText, KindDocument, KindHidden:
			out[i] = new(string)
		}
	}
	return out
}
