package scenario

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// match says where got differs from want, or "" when it does not. Of objects, only the members that want has count;
// lists have the same length; null matches an absent member; "*" matches everything but null; "~text" matches texts
// that contain text.
func match(want, got any) string { return matchAt("", want, got) }

func matchAt(path string, want, got any) string {
	differs := func() string { return fmt.Sprintf("at %q: got %s, want %s", path, show(got), show(want)) }
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return differs()
		}
		for key, member := range w {
			if at := matchAt(path+"."+key, member, g[key]); at != "" {
				return at
			}
		}
		return ""
	case []any:
		g, ok := got.([]any)
		if got == nil && len(w) == 0 {
			return ""
		}
		if !ok || len(g) != len(w) {
			return differs()
		}
		for i := range w {
			if at := matchAt(fmt.Sprintf("%s[%d]", path, i), w[i], g[i]); at != "" {
				return at
			}
		}
		return ""
	case string:
		if w == "*" && got != nil {
			return ""
		}
		if part, ok := strings.CutPrefix(w, "~"); ok {
			if g, isText := got.(string); isText && strings.Contains(g, part) {
				return ""
			}
			return differs()
		}
	}
	if !reflect.DeepEqual(want, got) {
		return differs()
	}
	return ""
}

// matchAll says which element of want no element of got matches, or that there are too many of them; the order does not
// count.
func matchAll(want, got []any) string {
	used := make([]bool, len(got))
	for i, w := range want {
		found, closest := false, ""
		for j, g := range got {
			if used[j] {
				continue
			}
			at := match(w, g)
			if at == "" {
				used[j], found = true, true
				break
			}
			closest = at
		}
		if !found {
			return fmt.Sprintf("element %d is not there (%s); got %s", i, closest, show(got))
		}
	}
	if len(got) > len(want) {
		return fmt.Sprintf("got %d elements, want %d; got %s", len(got), len(want), show(got))
	}
	return ""
}

func show(v any) string {
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return fmt.Sprint(v)
	}
	const most = 6000
	if len(text) > most {
		return string(text[:most]) + "..."
	}
	return string(text)
}
