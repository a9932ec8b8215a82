package expr

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/millrace/millrace/jsonata"
)

// Which texts are a single key and which are a path. A text is a path if it has a dot or a bracket pair.
var (
	plainKeyPattern = regexp.MustCompile(`^[A-Za-z0-9_]*$`)
	deepPathPattern = regexp.MustCompile(`\.|\[([^\[\]]*|"([^"\\]|\\.)*"|'([^'\\]|\\.)*')\]`)
)

// property reads a member as JavaScript's v[key] does, without inherited members: objects and host objects have named
// members, arrays and text have indexes and a length.
func property(v jsonata.Value, key string) (jsonata.Value, bool) {
	switch v := v.(type) {
	case *jsonata.Array:
		if i, ok := indexOf(key); ok && i < v.Len() {
			return v.At(i), true
		}
	case string:
		return textProperty(v, key)
	}
	return member(v, key)
}

func textProperty(s, key string) (jsonata.Value, bool) {
	index, isIndex := indexOf(key)
	if !isIndex && key != "length" {
		return nil, false
	}
	units := utf16.Encode([]rune(s))
	if !isIndex {
		return float64(len(units)), true
	}
	if index >= len(units) {
		return nil, false
	}
	return string(utf16.Decode(units[index : index+1])), true
}

// indexOf returns the array index that a key is: decimal digits without leading zeros.
func indexOf(key string) (int, bool) {
	if key == "" || len(key) > 15 || (key[0] == '0' && len(key) > 1) || strings.Trim(key, "0123456789") != "" {
		return 0, false
	}
	i, err := strconv.Atoi(key)
	return i, err == nil
}

// propertyKey is the member name that a value makes when it is used as one.
func propertyKey(v jsonata.Value) string { return textOf(v) }

// get follows a lodash path: a list of keys, a text like a.b[0], or any other value as a single key. A member whose
// name is the whole text wins over the path.
func get(v, path jsonata.Value) jsonata.Value {
	out, _ := lookupPath(v, pathKeys(v, path))
	return out
}

// lookupPath follows keys and reports whether the last one exists.
func lookupPath(v jsonata.Value, keys []string) (jsonata.Value, bool) {
	if len(keys) == 0 {
		return nil, false
	}
	for i, key := range keys {
		next, ok := property(v, key)
		if !ok {
			return nil, false
		}
		if isNullish(next) && i < len(keys)-1 {
			return nil, false
		}
		v = next
	}
	return v, true
}

// pathKeys turns a path into keys, given the value that it will be applied to.
func pathKeys(v, path jsonata.Value) []string {
	switch path := path.(type) {
	case *jsonata.Array:
		keys := make([]string, path.Len())
		for i, key := range path.Items() {
			keys[i] = lodashText(key)
		}
		return keys
	case string:
		if isKey(path, v) {
			return []string{path}
		}
		return splitPath(path)
	case float64:
		return []string{lodashText(path)}
	}
	return []string{propertyKey(path)}
}

// isKey reports whether a text is a member name rather than a path.
func isKey(text string, v jsonata.Value) bool {
	if plainKeyPattern.MatchString(text) || !deepPathPattern.MatchString(text) {
		return true
	}
	_, ok := property(v, text)
	return ok
}

// splitPath splits a text like a.b[0]["c.d"] into keys. Two dots in a row, or one at either end, enclose an empty key.
func splitPath(s string) []string {
	var keys []string
	if strings.HasPrefix(s, ".") {
		keys = append(keys, "")
	}
	for i := 0; i < len(s); {
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
	return keys
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
	if m := numberKeyPattern.FindStringSubmatch(s); m != nil {
		return m[1], len(m[0]), true
	}
	if m := quotedKeyPattern.FindStringSubmatch(s); m != nil {
		return escapePattern.ReplaceAllString(m[1]+m[2], "$1"), len(m[0]), true
	}
	return "", 0, false
}
