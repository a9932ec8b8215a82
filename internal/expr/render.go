package expr

import (
	"strings"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

// renderer renders one template once.
type renderer struct {
	scope         jsonata.Value
	budget        int  // bytes that may still be produced
	keepUndefined bool // whether objects keep undefined members, for a merge to see them
}

func (r *renderer) node(n node) (jsonata.Value, error) {
	switch {
	case n.text != nil:
		return r.text(n.text)
	case n.items == nil:
		return n.constant, r.spend(n.constant)
	case n.keys == nil:
		return r.list(n)
	}
	o := jsonata.NewObject(len(n.keys))
	for i, key := range n.keys {
		v, err := r.node(n.items[i])
		if err != nil {
			return nil, err
		}
		if v != nil || r.keepUndefined {
			o.Set(key, v)
		}
	}
	return o, nil
}

func (r *renderer) list(n node) (jsonata.Value, error) {
	items := make([]jsonata.Value, len(n.items))
	for i := range n.items {
		var err error
		if items[i], err = r.node(n.items[i]); err != nil {
			return nil, err
		}
	}
	return jsonata.NewArray(items...), nil
}

func (r *renderer) text(t *textTemplate) (jsonata.Value, error) {
	if p, ok := t.whole(); ok {
		v, err := p.resolve(r.scope, true)
		if err != nil {
			return nil, err
		}
		return v, r.spend(v)
	}
	values := make([]string, len(t.placeholders))
	simple := !t.braces
	for i, p := range t.placeholders {
		v, err := p.resolve(r.scope, false)
		if err != nil {
			return nil, err
		}
		values[i] = js.Text(v)
		simple = simple && (values[i] == p.text || !strings.ContainsAny(values[i], "{}$"))
	}
	if !simple {
		return r.substitute(t, values)
	}
	var b strings.Builder
	for i, literal := range t.literals {
		b.WriteString(literal)
		if i < len(values) {
			b.WriteString(values[i])
		}
		if b.Len() > r.budget {
			return nil, ErrTemplateOutput
		}
	}
	r.budget -= b.Len()
	return b.String(), nil
}

// substitute replaces the placeholders one after the other, each at its first occurrence in what the ones before
// it have left. It differs from filling the gaps of the text only if values contain braces or dollar patterns,
// which behave as in JavaScript's replace.
func (r *renderer) substitute(t *textTemplate, values []string) (jsonata.Value, error) {
	out := t.source
	work := 0
	for i, p := range t.placeholders {
		at := strings.Index(out, p.text)
		if at < 0 {
			continue
		}
		before, after := out[:at], out[at+len(p.text):]
		value := expandDollars(values[i], p.text, before, after, r.budget)
		out = before + value + after
		if work += len(out); len(out) > r.budget || work > 16*maxTemplateOutput {
			return nil, ErrTemplateOutput
		}
	}
	r.budget -= len(out)
	return out, nil
}

// expandDollars expands the replacement patterns $$, $&, $` and $' of a value. It stops soon after limit bytes.
func expandDollars(value, match, before, after string, limit int) string {
	if !strings.Contains(value, "$") {
		return value
	}
	var b strings.Builder
	for i := 0; i < len(value) && b.Len() <= limit; i++ {
		if value[i] != '$' || i+1 == len(value) {
			b.WriteByte(value[i])
			continue
		}
		i++
		switch value[i] {
		case '$':
			b.WriteByte('$')
		case '&':
			b.WriteString(match)
		case '`':
			b.WriteString(before)
		case '\'':
			b.WriteString(after)
		default:
			b.WriteByte('$')
			i--
		}
	}
	return b.String()
}

// spend takes the size of a value from the budget.
func (r *renderer) spend(v jsonata.Value) error {
	switch v := v.(type) {
	case string:
		r.budget -= len(v)
	case *jsonata.Array:
		for _, item := range v.Items() {
			if err := r.spend(item); err != nil {
				return err
			}
		}
	case *jsonata.Object:
		for key, member := range v.All() {
			r.budget -= len(key)
			if err := r.spend(member); err != nil {
				return err
			}
		}
	}
	if r.budget -= 2; r.budget < 0 {
		return ErrTemplateOutput
	}
	return nil
}
