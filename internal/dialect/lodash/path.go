package lodash

import (
	"regexp"
	"strings"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

// bracketPattern finds a bracket pair, with or without a quoted key.
var bracketPattern = regexp.MustCompile(`\[([^\[\]]*|"([^"\\]|\\.)*"|'([^'\\]|\\.)*')\]`)

// isDeep reports whether a text is a path and not a single key: it has a dot or a bracket pair.
func isDeep(s string) bool {
	return strings.Contains(s, ".") || strings.Contains(s, "[") && bracketPattern.MatchString(s)
}

// path is a lodash path: a list of keys, a text like a.b[0], or any other value as a single key.
type path struct {
	keys []string
	text string // a path as one text, which is also the name of a member that wins over the path
}

// callPath is newPath within the limits of the evaluation, of which sixteen characters of a text take a step.
func callPath(c *jsonata.Call, v jsonata.Value) (path, error) {
	s, ok := v.(string)
	if !ok || len(s) < 16 {
		return newPath(v), nil
	}
	if err := c.Step(len(s) / 16); err != nil {
		return path{}, err
	}
	if !isDeep(s) {
		return path{keys: []string{s}}, nil
	}
	keys, err := splitPath(s, func() error { return c.Step(1) })
	return path{keys: keys, text: s}, err
}

func newPath(v jsonata.Value) path {
	switch v := v.(type) {
	case *jsonata.Array:
		keys := make([]string, v.Len())
		for i, key := range v.Items() {
			keys[i] = js.LodashText(key)
		}
		return path{keys: keys}
	case string:
		if !isDeep(v) {
			return path{keys: []string{v}}
		}
		keys, _ := splitPath(v, func() error { return nil })
		return path{keys: keys, text: v}
	}
	return path{keys: []string{js.LodashText(v)}}
}

// in returns the keys to follow in a value.
func (p path) in(v jsonata.Value) []string {
	if p.text == "" {
		return p.keys
	}
	if _, ok := js.Property(v, p.text); ok {
		return []string{p.text}
	}
	return p.keys
}

// lookup follows the path and reports whether the last key exists.
func (p path) lookup(v jsonata.Value) (jsonata.Value, bool) { return followKeys(v, p.in(v)) }

// get follows the path; it gives undefined if the path leads nowhere.
func (p path) get(v jsonata.Value) jsonata.Value {
	found, _ := p.lookup(v)
	return found
}

func followKeys(v jsonata.Value, keys []string) (jsonata.Value, bool) {
	for _, key := range keys {
		next, ok := js.Property(v, key)
		if !ok {
			return nil, false
		}
		v = next
	}
	return v, len(keys) > 0
}

// splitPath splits a text like a.b[0]["c.d"] into keys. Two dots in a row, or one at either end, enclose an empty key. It calls
// between before each part, and ends with its error.
func splitPath(s string, between func() error) ([]string, error) {
	var keys []string
	if strings.HasPrefix(s, ".") {
		keys = append(keys, "")
	}
	for i := 0; i < len(s); {
		if err := between(); err != nil {
			return nil, err
		}
		switch s[i] {
		case '[':
			if key, end, ok := bracketKey(s[i:]); ok {
				keys, i = append(keys, key), i+end
				continue
			}
			if emptyFollows(s[i:], "[]") {
				keys = append(keys, "")
			}
			i++
		case '.':
			if emptyFollows(s[i:], ".") {
				keys = append(keys, "")
			}
			i++
		case ']':
			i++
		default:
			end := strings.IndexAny(s[i:], ".[]")
			if end < 0 {
				end = len(s) - i
			}
			keys, i = append(keys, s[i:i+end]), i+end
		}
	}
	return keys, nil
}

// emptyFollows reports whether s starts with the separator and then has nothing before the next separator or the end.
func emptyFollows(s, separator string) bool {
	rest, ok := strings.CutPrefix(s, separator)
	return ok && (rest == "" || rest[0] == '.' || strings.HasPrefix(rest, "[]"))
}

var (
	numberKeyPattern = regexp.MustCompile(`^\[(-?[0-9]+(?:\.[0-9]+)?)\]`)
	quotedKeyPattern = regexp.MustCompile(`^\[(?:"((?s:[^"\\]|\\.)*?)"|'((?s:[^'\\]|\\.)*?)')\]`)
	escapePattern    = regexp.MustCompile(`\\(\\)?`)
)

// bracketKey reads a key in brackets at the start of s: a number or quoted text.
func bracketKey(s string) (string, int, bool) {
	if len(s) < 2 || strings.IndexByte(`-0123456789"'`, s[1]) < 0 {
		return "", 0, false // for most: a pattern takes a hundred times as long to say so
	}
	if m := numberKeyPattern.FindStringSubmatch(s); m != nil {
		return m[1], len(m[0]), true
	}
	if m := quotedKeyPattern.FindStringSubmatch(s); m != nil {
		return escapePattern.ReplaceAllString(m[1]+m[2], "$1"), len(m[0]), true
	}
	return "", 0, false
}
