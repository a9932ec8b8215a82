package dialect

import (
	"math"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

// stringFunction is $string. It differs from JSONata's in that every number is rounded to 15 significant digits, which
// mappings with large numeric ids were written against.
func stringFunction(c *jsonata.Call, unwrap *jsonata.Program) (jsonata.Value, error) {
	switch v := c.Arg(0).(type) {
	case nil:
		return nil, nil
	case string:
		return v, nil
	case *jsonata.Function:
		return "", nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, &jsonata.Error{
				Code:    "D3001",
				Message: "Attempting to invoke string function on Infinity or NaN",
				Value:   v,
			}
		}
		return jsonata.FormatNumber(round15(v)), nil
	}
	v, err := document(c, unwrap)
	if err != nil {
		return nil, err
	}
	w := jsonWriter{call: c}
	if js.IsTrue(c.Arg(1)) {
		w.indent = "  "
	}
	if err := w.value(v, "\n"); err != nil {
		return nil, err
	}
	return w.out.String(), c.Grow(w.out.Len() - w.announced)
}

// document returns the first argument. When it was not given but taken from the context, and the context is a
// document that is an array, then it comes with a second array around it, which only an evaluation takes off. The
// argument can be such an array only if it is the context item and has a single array in it.
func document(c *jsonata.Call, unwrap *jsonata.Program) (jsonata.Value, error) {
	outer, ok := c.Arg(0).(*jsonata.Array)
	if !ok || outer.Len() != 1 || c.Input != c.Arg(0) {
		return c.Arg(0), nil
	}
	if _, nested := outer.At(0).(*jsonata.Array); !nested {
		return outer, nil
	}
	return unwrap.Eval(c.Context(), jsonata.Input{Bindings: map[string]jsonata.Value{"v": outer}})
}

// round15 rounds to 15 significant digits.
func round15(f float64) float64 {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(f, 'g', 15, 64), 64)
	if err != nil {
		return f
	}
	return rounded
}

// jsonWriter writes values as JSON.stringify does, with numbers rounded and functions as empty text.
type jsonWriter struct {
	call      *jsonata.Call
	out       strings.Builder
	indent    string
	announced int // bytes of out that have been taken from the output limit
}

// value writes v. newline is a line break followed by the current indentation.
func (w *jsonWriter) value(v jsonata.Value, newline string) error {
	if err := w.announce(); err != nil {
		return err
	}
	switch v := v.(type) {
	case string:
		quoteJSON(&w.out, v)
	case bool:
		w.out.WriteString(strconv.FormatBool(v))
	case float64:
		return w.number(v)
	case *jsonata.Array:
		return w.array(v, newline)
	case *jsonata.Object:
		return w.object(v, newline)
	case *jsonata.Function:
		w.out.WriteString(`""`)
	case *searchParams:
		return w.object(js.Entries(v), newline)
	case jsonata.Host:
		return w.value(v.JSON(), newline)
	default:
		w.out.WriteString("null")
	}
	return nil
}

// announce keeps the output limit up to date while the text grows.
func (w *jsonWriter) announce() error {
	if err := w.call.Step(1); err != nil {
		return err
	}
	if w.out.Len()-w.announced < 1<<16 {
		return nil
	}
	grown := w.out.Len() - w.announced
	w.announced = w.out.Len()
	return w.call.Grow(grown)
}

func (w *jsonWriter) number(f float64) error {
	switch {
	case math.IsNaN(f):
		w.out.WriteString("null")
		return nil
	case math.IsInf(f, 0):
		return &jsonata.Error{Code: "D1001", Message: "Number out of range", Value: f}
	}
	w.out.WriteString(jsonata.FormatNumber(round15(f)))
	return nil
}

func (w *jsonWriter) array(a *jsonata.Array, newline string) error {
	if a.Len() == 0 {
		w.out.WriteString("[]")
		return nil
	}
	inner := newline + w.indent
	for i, item := range a.Items() {
		w.separate(i, '[', inner)
		if err := w.value(item, inner); err != nil {
			return err
		}
	}
	w.close(']', newline)
	return nil
}

func (w *jsonWriter) object(o *jsonata.Object, newline string) error {
	inner, written := newline+w.indent, 0
	for key, member := range o.All() {
		if member == nil {
			continue
		}
		w.separate(written, '{', inner)
		written++
		quoteJSON(&w.out, key)
		w.out.WriteByte(':')
		if w.indent != "" {
			w.out.WriteByte(' ')
		}
		if err := w.value(member, inner); err != nil {
			return err
		}
	}
	if written == 0 {
		w.out.WriteString("{}")
		return nil
	}
	w.close('}', newline)
	return nil
}

// separate writes what precedes an item: the opening bracket or a comma, and a line break if lines are indented.
func (w *jsonWriter) separate(i int, open byte, newline string) {
	if i > 0 {
		open = ','
	}
	w.out.WriteByte(open)
	if w.indent != "" {
		w.out.WriteString(newline)
	}
}

func (w *jsonWriter) close(bracket byte, newline string) {
	if w.indent != "" {
		w.out.WriteString(newline)
	}
	w.out.WriteByte(bracket)
}

// quoteJSON writes text with the escapes of JSON.stringify, which are fewer than those of encoding/json.
func quoteJSON(b *strings.Builder, s string) {
	const hex = "0123456789abcdef"
	b.WriteByte('"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && !js.IsHalf(s[i:]) {
			continue
		}
		b.WriteString(s[start:i])
		start = i + 1
		if js.IsHalf(s[i:]) {
			b.WriteString(`\u` + strconv.FormatInt(int64(js.HalfUnit(s[i:])), 16))
			start = i + 3
			continue
		}
		if short := strings.IndexByte("\"\\\b\f\n\r\t", c); short >= 0 {
			b.WriteByte('\\')
			b.WriteByte(`"\bfnrt`[short])
			continue
		}
		b.WriteString(`\u00`)
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	b.WriteString(s[start:])
	b.WriteByte('"')
}
