package expr

import (
	"fmt"
	"strings"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

// placeholder is one {{...}} in a text.
type placeholder struct {
	text         string // as written, braces included
	alternatives []alternative
	fallback     string // the literal after ?:
	fallbackType string
	hasFallback  bool
	allowNull    bool // :null
	skipEmpty    bool // :ignore-empty-str
	dropMissing  bool // :undefined
}

// alternative is one path of a placeholder with the type its value is cast to.
type alternative struct {
	name    string
	path    query
	pathErr error // why the path cannot be followed; reported when it is this alternative's turn
	cast    string
}

// nextPlaceholder finds the first placeholder in s and returns where it starts and ends.
func nextPlaceholder(s string) (int, int, bool) {
	for from := 0; ; {
		open := strings.Index(s[from:], "{{")
		if open < 0 {
			return 0, 0, false
		}
		start := from + open
		body := s[start+2:]
		length := strings.IndexFunc(body, func(r rune) bool { return !isPlaceholderRune(r) })
		if length > 0 && strings.HasPrefix(body[length:], "}}") {
			return start, start + length + 4, true
		}
		from = start + 1
	}
}

// isPlaceholderRune reports whether r may stand between the braces of a placeholder.
func isPlaceholderRune(r rune) bool {
	return isWordRune(r) || strings.ContainsRune("-./|:?", r) || js.IsSpace(r)
}

func isWordRune(r rune) bool {
	return r == '_' || (r >= '0' && r <= '9') || (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z')
}

// parsePlaceholder parses the text of a placeholder, braces included.
func parsePlaceholder(text string) (placeholder, error) {
	p := placeholder{text: text}
	body, rest, _ := strings.Cut(text[2:len(text)-2], "?:")
	rest, _, _ = strings.Cut(rest, "?:")
	if rest != "" {
		parts := splitTypes(rest)
		p.hasFallback, p.fallback, p.fallbackType = true, parts[0], "str"
		if len(parts) > 1 && parts[1] != "" {
			p.fallbackType = parts[1]
		}
	}
	p.allowNull = strings.Contains(body, ":null")
	p.skipEmpty = strings.Contains(body, ":ignore-empty-str")
	p.dropMissing = strings.Contains(body, ":undefined")
	for part := range strings.SplitSeq(body, "|") {
		parts := splitTypes(part)
		a := alternative{name: js.TrimSpace(parts[0]), cast: "str"}
		if len(parts) > 1 && parts[1] != "" {
			a.cast = js.TrimSpace(parts[1])
		}
		if a.path, a.pathErr = parseQuery(a.name); a.pathErr != nil && len(p.alternatives) == 0 {
			return placeholder{}, fmt.Errorf("placeholder %s: %w", text, a.pathErr)
		}
		p.alternatives = append(p.alternatives, a)
	}
	return p, nil
}

// splitTypes splits at every colon that a word character or white space follows; other colons belong to the
// path, where they make slices.
func splitTypes(s string) []string {
	var parts []string
	start := 0
	for i, r := range s {
		if i == 0 || s[i-1] != ':' || i-1 < start {
			continue
		}
		if isWordRune(r) || js.IsSpace(r) {
			parts = append(parts, s[start:i-1])
			start = i
		}
	}
	return append(parts, s[start:])
}

// resolve looks the placeholder up. The result is its own text if nothing is found and nothing is said about
// that case. whole tells whether the placeholder is all of its text.
func (p placeholder) resolve(scope jsonata.Value, whole bool) (jsonata.Value, error) {
	for _, a := range p.alternatives {
		if a.pathErr != nil {
			return nil, fmt.Errorf("placeholder %s: %w", p.text, a.pathErr)
		}
		v := a.path.find(scope)
		if v == nil || (v == "" && p.skipEmpty) {
			continue
		}
		return p.cast(v, a.cast, whole)
	}
	switch {
	case p.hasFallback:
		return p.cast(p.fallback, p.fallbackType, whole)
	case p.dropMissing && whole:
		return nil, nil
	case p.dropMissing:
		return "", nil
	case p.allowNull:
		return jsonata.Null{}, nil
	}
	return p.text, nil
}

func (p placeholder) cast(v jsonata.Value, kind string, whole bool) (jsonata.Value, error) {
	out, err := castValue(v, kind, whole)
	if err != nil {
		return nil, fmt.Errorf("placeholder %s: %w", p.text, err)
	}
	return out, nil
}
