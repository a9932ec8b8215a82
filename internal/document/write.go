package document

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
)

// WriteYAML writes a value as people would, with texts of several lines as blocks. It reports false, and returns nothing, when what it has
// written would be read as something else, or not at all.
func WriteYAML(v *Value) (string, bool) {
	var w yamlWriter
	w.value(v, 0, false)
	text := w.b.String()
	back, err := ParseYAML([]byte(text), len(text))
	if err != nil || !bytes.Equal(back.JSON(), v.JSON()) {
		return "", false
	}
	return text, true
}

// WriteJSON writes a value as JSON with an indent of two.
func WriteJSON(v *Value) string {
	var b bytes.Buffer
	_ = json.Indent(&b, v.JSON(), "", "  ") // it is JSON
	return b.String() + "\n"
}

type yamlWriter struct{ b strings.Builder }

// value writes a value behind a key or a dash. Inline is false at the beginning of a line.
func (w *yamlWriter) value(v *Value, depth int, inline bool) {
	switch {
	case v.Kind == KindObject && len(v.Members) > 0:
		w.members(v, depth, inline)
	case v.Kind == KindArray && len(v.Items) > 0:
		if inline {
			w.b.WriteByte('\n')
		}
		for _, item := range v.Items {
			w.indent(depth)
			w.b.WriteByte('-')
			if item.Kind == KindObject && len(item.Members) > 0 {
				w.b.WriteByte(' ')
				w.first(item, depth+1)
				continue
			}
			w.value(item, depth+1, true)
		}
	default:
		if inline {
			w.b.WriteByte(' ')
		}
		w.scalar(v, depth)
	}
}

func (w *yamlWriter) members(v *Value, depth int, inline bool) {
	if inline {
		w.b.WriteByte('\n')
	}
	for i := range v.Members {
		w.indent(depth)
		w.member(&v.Members[i], depth)
	}
}

// first writes an object whose first member stands behind a dash.
func (w *yamlWriter) first(v *Value, depth int) {
	for i := range v.Members {
		if i > 0 {
			w.indent(depth)
		}
		w.member(&v.Members[i], depth)
	}
}

func (w *yamlWriter) member(m *Member, depth int) {
	w.plain(m.Key)
	w.b.WriteByte(':')
	w.value(m.Value, depth+1, true)
}

func (w *yamlWriter) scalar(v *Value, depth int) {
	if v.Kind == KindString && isBlock(v.Text) {
		text, ends := strings.CutSuffix(v.Text, "\n")
		w.b.WriteString(map[bool]string{true: "|\n", false: "|-\n"}[ends])
		for line := range strings.SplitSeq(text, "\n") {
			if line != "" {
				w.indent(max(depth, 1))
			}
			w.b.WriteString(line + "\n")
		}
		return
	}
	if v.Kind == KindString {
		w.plain(v.Text)
	} else {
		w.b.Write(v.JSON())
	}
	w.b.WriteByte('\n')
}

// isBlock reports whether a text can be written as a block, whose lines stand as they are.
func isBlock(text string) bool {
	inner := strings.TrimSuffix(text, "\n")
	if !strings.Contains(inner, "\n") || strings.HasSuffix(inner, "\n") || strings.HasPrefix(text, "\n") || strings.HasPrefix(text, " ") {
		return false
	}
	for line := range strings.SplitSeq(inner, "\n") {
		if strings.HasSuffix(line, " ") {
			return false
		}
	}
	return !strings.ContainsFunc(text, func(r rune) bool {
		return r < ' ' && r != '\n' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xfeff
	})
}

var (
	plainText = regexp.MustCompile(`^[A-Za-z_$/(][A-Za-z0-9_ ./()='<>+*$@;:!?,"\[\]|~^%&-]*$`)
	notPlain  = regexp.MustCompile(`(?i): |:$| $|^(true|false|null|yes|no|on|off|y|n)$`)
)

// plain writes a text without quotes where nobody could take it for something else.
func (w *yamlWriter) plain(text string) {
	if plainText.MatchString(text) && !notPlain.MatchString(text) {
		w.b.WriteString(text)
		return
	}
	w.b.Write(appendQuoted(nil, text))
}

func (w *yamlWriter) indent(depth int) {
	for range depth {
		w.b.WriteString("  ")
	}
}
