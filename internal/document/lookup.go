package document

import (
	"strconv"
	"strings"
)

// MembersOf returns the members of an object, none of any other value or of nil.
func MembersOf(v *Value) []Member {
	if v == nil || v.Kind != KindObject {
		return nil
	}
	return v.Members
}

// TextIn returns the string at a key of an object, "" when there is none.
func TextIn(v *Value, key string) string {
	if v == nil || v.Kind != KindObject {
		return ""
	}
	if m := v.Get(key); m != nil && m.Kind == KindString {
		return m.Text
	}
	return ""
}

// Find returns the value at a path such as config.steps[0].run_if. When it is not there, it is the nearest value around it.
func Find(v *Value, path string) *Value {
	for path != "" {
		path = strings.TrimPrefix(path, ".")
		if rest, ok := strings.CutPrefix(path, "["); ok {
			number, after, _ := strings.Cut(rest, "]")
			i, err := strconv.Atoi(number)
			if err != nil || i < 0 || i >= len(v.Items) {
				return v
			}
			v, path = v.Items[i], after
			continue
		}
		end := strings.IndexAny(path, ".[")
		if end < 0 {
			end = len(path)
		}
		next := v.Get(path[:end])
		if next == nil {
			return v
		}
		v, path = next, path[end:]
	}
	return v
}
