package wire

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// maxNesting bounds how deep values are followed into when they are written as parameters or XML.
const maxNesting = 32

// NewQuery returns an empty query.
func NewQuery() *expr.Object { return jsonata.NewObject(4) }

// pair is one parameter as it travels, not yet escaped.
type pair struct{ key, value string }

// flatten turns the members of an object into parameters. Arrays are written in the format, objects as a[b]=c.
// Null and undefined are left out.
func flatten(o *expr.Object, arrayFormat string) []pair {
	var pairs []pair
	for key, v := range o.All() {
		pairs = appendPairs(pairs, key, v, arrayFormat, maxNesting)
	}
	return pairs
}

func appendPairs(pairs []pair, key string, v expr.Value, arrayFormat string, depth int) []pair {
	switch v := v.(type) {
	case nil, expr.Null:
		return pairs
	case *expr.Object:
		if depth == 0 {
			return pairs
		}
		for name, member := range v.All() {
			pairs = appendPairs(pairs, key+"["+name+"]", member, arrayFormat, depth-1)
		}
		return pairs
	case *expr.Array:
		if depth == 0 {
			return pairs
		}
		return appendArray(pairs, key, v, arrayFormat, depth-1)
	}
	return append(pairs, pair{key, expr.Text(v)})
}

func appendArray(pairs []pair, key string, a *expr.Array, arrayFormat string, depth int) []pair {
	if arrayFormat == "comma" {
		if a.Len() == 0 {
			return pairs
		}
		return append(pairs, pair{key, expr.Text(a)})
	}
	for i, item := range a.Items() {
		name := key
		switch arrayFormat {
		case "brackets":
			name += "[]"
		case "indices":
			name += "[" + strconv.Itoa(i) + "]"
		}
		pairs = appendPairs(pairs, name, item, arrayFormat, depth)
	}
	return pairs
}

// encodePairs escapes parameters for a URL or a form. Brackets and commas are part of the array formats and stay
// readable: some APIs compare the raw text.
func encodePairs(pairs []pair) string {
	keep := strings.NewReplacer("%5B", "[", "%5D", "]")
	list := strings.NewReplacer("%2C", ",")
	var b strings.Builder
	for i, p := range pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(keep.Replace(url.QueryEscape(p.key)))
		b.WriteByte('=')
		b.WriteString(list.Replace(url.QueryEscape(p.value)))
	}
	return b.String()
}
