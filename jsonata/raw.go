package jsonata

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/millrace/millrace/jsonata/internal/syntax"
)

// rawDoc is an input document that has not been decoded. It is the context item
// of programs that look at the document only through paths of field names, which
// can be followed in the text.
type rawDoc struct {
	data    []byte
	decoded bool
	value   Value
	err     error
}

// decode decodes the whole document, once.
func (d *rawDoc) decode() (Value, error) {
	if !d.decoded {
		d.decoded = true
		if d.value, d.err = FromJSON(d.data); d.err != nil {
			d.err = &Error{Code: CodeHost, Message: d.err.Error(), cause: d.err}
		}
	}
	return d.value, d.err
}

// lookup follows a path of field names in the text.
func (d *rawDoc) lookup(ev *evaluator, f *frame, x *names) (Value, error) {
	i := skipSpace(d.data, 0)
	for k, key := range x.keys {
		if i >= len(d.data) || d.data[i] != '{' {
			if i < len(d.data) && d.data[i] == '[' {
				v, err := decodeAt(d.data, i)
				if err != nil {
					return nil, err
				}
				return x.rest[k].eval(ev, f, v)
			}
			return nil, nil
		}
		var ok bool
		if i, ok = findMember(d.data, i+1, key); !ok {
			return nil, nil
		}
	}
	return decodeAt(d.data, i)
}

func decodeAt(data []byte, i int) (Value, error) {
	if i < len(data) && data[i] == '"' {
		if end := skipString(data, i); end <= len(data) && plainText(data[i+1:end-1]) {
			return string(data[i+1 : end-1]), nil
		}
	}
	v, err := FromJSON(data[i:min(skipValue(data, i), len(data))])
	if err != nil {
		return nil, &Error{Code: CodeHost, Message: err.Error(), cause: err}
	}
	return v, nil
}

// plainText tells whether a text has no escape sequences and no control
// characters.
func plainText(s []byte) bool {
	for _, c := range s {
		if c < ' ' || c == '\\' {
			return false
		}
	}
	return true
}

func skipSpace(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\n' || data[i] == '\t' || data[i] == '\r') {
		i++
	}
	return i
}

// findMember returns where the value of a member begins. i is behind the opening
// brace.
func findMember(data []byte, i int, key string) (int, bool) {
	for {
		i = skipSpace(data, i)
		if i >= len(data) || data[i] != '"' {
			return 0, false
		}
		end := skipString(data, i)
		if end > len(data) {
			return 0, false
		}
		same := sameKey(data[i:end], key)
		if i = skipSpace(data, end); i >= len(data) || data[i] != ':' {
			return 0, false
		}
		i = skipSpace(data, i+1)
		if same {
			return i, i < len(data)
		}
		if i < len(data) && data[i] == '"' {
			i = skipString(data, i)
		} else {
			i = skipValue(data, i)
		}
		if i = skipSpace(data, i); i >= len(data) || data[i] != ',' {
			return 0, false
		}
		i++
	}
}

// sameKey compares a quoted key, which may contain escape sequences.
func sameKey(quoted []byte, key string) bool {
	inner := quoted[1 : len(quoted)-1]
	if len(inner) < len(key) || len(inner) == len(key) && string(inner) != key {
		return false
	}
	if bytes.IndexByte(inner, '\\') < 0 {
		return len(inner) == len(key)
	}
	v, err := FromJSON(quoted)
	return err == nil && v == key
}

// skipString returns the offset behind a string, or one beyond the end of the
// data.
func skipString(data []byte, i int) int {
	for at := i + 1; at < len(data); {
		end := indexQuote(data, at)
		if end == len(data) {
			break
		}
		if data[end-1] != '\\' {
			return end + 1
		}
		slashes := 1
		for data[end-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return end + 1
		}
		at = end + 1
	}
	return len(data) + 1
}

// indexQuote returns the offset of the next quote, or the length of the data. It
// looks at eight bytes at a time, which for texts of usual length takes less time
// than a call of bytes.IndexByte.
func indexQuote(data []byte, at int) int {
	const ones, highs, quotes = 0x0101010101010101, 0x8080808080808080, 0x2222222222222222
	for ; at+8 <= len(data); at += 8 {
		w := binary.LittleEndian.Uint64(data[at:]) ^ quotes
		if m := (w - ones) &^ w & highs; m != 0 {
			return at + bits.TrailingZeros64(m)/8
		}
	}
	for at < len(data) && data[at] != '"' {
		at++
	}
	return at
}

// skipValue returns the offset behind a value.
func skipValue(data []byte, i int) int {
	depth := 0
	for i < len(data) {
		switch data[i] {
		case '"':
			if i = skipString(data, i); depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
			if depth < 0 {
				return i
			}
		case ',', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return len(data)
}

// readsPathsOnly tells whether an expression uses its context item only for paths
// of field names and as the context of function calls.
func readsPathsOnly(n *syntax.Node) bool {
	if n == nil {
		return true
	}
	if len(n.Predicates) > 0 || n.Group != nil || n.Cons {
		return false
	}
	switch n.Kind { //nolint:exhaustive // the other kinds are dealt with after it
	case syntax.Path:
		return plainPath(n)
	case syntax.Variable:
		return n.Text != "" && n.Text != "$"
	case syntax.String, syntax.Number, syntax.Literal, syntax.Regex, syntax.Placeholder:
		return true
	case syntax.Wildcard, syntax.Descendant, syntax.Parent, syntax.Transform, syntax.Name, syntax.Sort:
		return false
	case syntax.Binary:
		// The operator in looks for the same object, and each path decodes an object of its own.
		if n.Text == "in" && !isConstant(n.Left) && !isConstant(n.Right) {
			return false
		}
	}
	for _, c := range []*syntax.Node{n.Left, n.Right, n.Else} {
		if !readsPathsOnly(c) {
			return false
		}
	}
	for _, c := range n.List {
		if !readsPathsOnly(c) {
			return false
		}
	}
	for _, p := range n.Pairs {
		if !readsPathsOnly(p.Key) || !readsPathsOnly(p.Value) {
			return false
		}
	}
	return true
}

// isConstant tells whether an expression is a literal, or an array of literals.
func isConstant(n *syntax.Node) bool {
	switch n.Kind { //nolint:exhaustive // the other kinds depend on something
	case syntax.String, syntax.Number, syntax.Literal:
		return true
	case syntax.Array:
		return !slices.ContainsFunc(n.List, func(item *syntax.Node) bool { return !isConstant(item) })
	}
	return false
}

// plainPath tells whether a path is made of field names only.
func plainPath(n *syntax.Node) bool {
	if n.KeepSingleton || n.KeepArray {
		return false
	}
	for _, s := range n.List {
		if s.Kind != syntax.Name || s.Tuple || s.KeepArray || s.Group != nil || len(s.Stages) > 0 || len(s.Predicates) > 0 {
			return false
		}
	}
	return true
}
