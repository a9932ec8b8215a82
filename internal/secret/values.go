package secret

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// Values returns what must not appear in texts about an account: the secret members of its whole context, members whose name
// says that they are secret, and those that credentials are made of.
func (s *Set) Values(context map[string]any) []string {
	out := named(nil, context, s.used)
	for _, path := range s.paths {
		out = append(out, Scalars(at(context, path))...)
	}
	return out
}

// Variables returns the environment variables that are secret by their use or their name.
func (s *Set) Variables(variables map[string]any) []string {
	out := named(nil, variables, s.used)
	for name := range s.variables {
		out = append(out, Scalars(at(variables, strings.Split(name, ".")))...)
	}
	return out
}

// at follows a path; one that meets an array means the array.
func at(v any, path []string) any {
	for _, key := range path {
		switch m := v.(type) {
		case map[string]any:
			v = m[key]
		case []any:
			return v
		default:
			return nil
		}
	}
	return v
}

// named adds the members that are called like a secret. A URL is none: scrubbing it would hide where requests go.
func named(out []string, v any, names []string) []string {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			out = named(out, item, names)
		}
	case map[string]any:
		for key, member := range v {
			text, isText := member.(string)
			switch {
			case slices.Contains(names, key):
				out = append(out, Scalars(member)...)
			case isText && IsName(key) && !strings.HasPrefix(text, "https://") && !strings.HasPrefix(text, "http://"):
				out = append(out, text)
			}
			out = named(out, member, names)
		}
	}
	return out
}

// Scalars returns the texts and numbers below a value.
func Scalars(v any) []string {
	var out []string
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			out = append(out, Scalars(item)...)
		}
	case map[string]any:
		for _, member := range v {
			out = append(out, Scalars(member)...)
		}
	case string:
		out = append(out, v)
	case float64:
		out = append(out, strconv.FormatFloat(v, 'f', -1, 64))
	case json.Number:
		out = append(out, v.String())
	}
	return out
}
