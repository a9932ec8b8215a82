package expr

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

// maxTemplateOutput bounds what one rendering may produce, in bytes of text. Placeholders can repeat a large
// value any number of times.
const maxTemplateOutput = jsonata.DefaultOutput

// ErrTemplateOutput says that a template produced more than it may.
var ErrTemplateOutput = errors.New("expr: the rendered template is too large")

// mergeKey is the member whose value is merged into the object that holds it.
const mergeKey = "$truto_merge"

// Template is a value whose texts contain {{placeholders}}. It is compiled once and may be rendered by any number
// of goroutines.
type Template struct {
	root   node
	paths  []string
	merges bool // whether an object has a merge member
}

// node is one value of a template: a text with placeholders, a list or object that contains some, or a
// constant.
type node struct {
	text     *textTemplate
	items    []node
	keys     []string // nil for a list
	constant jsonata.Value
}

// ParseTemplate compiles a template: text, an array of templates, or an object. Keys are not templates. Numbers
// and other values may stand anywhere inside an object, but not by themselves, because there they cannot
// contain a placeholder and are most likely a mistake.
func ParseTemplate(v jsonata.Value) (*Template, error) {
	t := &Template{}
	root, err := t.parse(v)
	if err != nil {
		return nil, err
	}
	t.root = root
	return t, nil
}

func (t *Template) parse(v jsonata.Value) (node, error) {
	switch v := v.(type) {
	case string, *jsonata.Object:
		return t.parseMember(v)
	case *jsonata.Array:
		items := make([]node, v.Len())
		for i, item := range v.Items() {
			var err error
			if items[i], err = t.parse(item); err != nil {
				return node{}, err
			}
		}
		return node{items: items}, nil
	}
	return node{}, fmt.Errorf("invalid template: got %s, want text, an array or an object", js.TypeName(v))
}

// parseMember compiles what stands inside an object, where every value is allowed.
func (t *Template) parseMember(v jsonata.Value) (node, error) {
	switch v := v.(type) {
	case string:
		text, err := parseText(v)
		if err != nil {
			return node{}, err
		}
		if len(text.placeholders) == 0 {
			return node{constant: v}, nil
		}
		t.note(text)
		return node{text: text}, nil
	case *jsonata.Array:
		items, err := t.parseMembers(v.Items())
		if err != nil || !slices.ContainsFunc(items, node.varies) {
			return node{constant: v}, err
		}
		return node{items: items}, nil
	case *jsonata.Object:
		return t.parseObject(v)
	}
	return node{constant: v}, nil
}

func (t *Template) parseMembers(values []jsonata.Value) ([]node, error) {
	items := make([]node, len(values))
	for i, v := range values {
		var err error
		if items[i], err = t.parseMember(v); err != nil {
			return nil, err
		}
	}
	return items, nil
}

func (t *Template) parseObject(o *jsonata.Object) (node, error) {
	keys := o.Keys()
	values := make([]jsonata.Value, 0, len(keys))
	for key, v := range o.All() {
		values = append(values, v)
		t.merges = t.merges || key == mergeKey
	}
	items, err := t.parseMembers(values)
	if err != nil || !slices.ContainsFunc(items, node.varies) {
		return node{constant: o}, err
	}
	return node{items: items, keys: keys}, nil
}

// varies reports whether a node can render to different values.
func (n node) varies() bool { return n.text != nil || n.items != nil }

// note remembers the paths that a text reads.
func (t *Template) note(text *textTemplate) {
	for _, p := range text.placeholders {
		for _, a := range p.alternatives {
			if !slices.Contains(t.paths, a.name) {
				t.paths = append(t.paths, a.name)
			}
		}
	}
}

// Paths returns the paths that the template reads, each once, in the order of their first appearance.
func (t *Template) Paths() []string { return slices.Clone(t.paths) }

// Render replaces the placeholders by what their paths lead to in scope. A placeholder that is all of its text
// may give any type of value; members that become undefined are dropped, and undefined as a whole is nil.
// The result may share values with scope. Exceeding the size limit is ErrTemplateOutput.
func (t *Template) Render(scope jsonata.Value) (jsonata.Value, error) {
	r := renderer{scope: scope, budget: maxTemplateOutput, keepUndefined: t.merges}
	v, err := r.node(t.root)
	if err != nil || !t.merges {
		return v, err
	}
	return r.merge(v)
}

// RenderString compiles and renders a single text. What is not text becomes text; undefined becomes nothing.
func RenderString(text string, scope jsonata.Value) (string, error) {
	t, err := ParseTemplate(text)
	if err != nil {
		return "", err
	}
	v, err := t.Render(scope)
	if err != nil || js.IsNullish(v) {
		return "", err
	}
	return js.LodashText(v), nil
}

// textTemplate is a text with placeholders.
type textTemplate struct {
	source       string
	literals     []string // the text before each placeholder, and the text after the last
	placeholders []placeholder
	braces       bool // whether the literals contain braces
}

func parseText(source string) (*textTemplate, error) {
	t := &textTemplate{source: source}
	rest := source
	for {
		start, end, ok := nextPlaceholder(rest)
		if !ok {
			break
		}
		p, err := parsePlaceholder(rest[start:end])
		if err != nil {
			return nil, err
		}
		t.literals = append(t.literals, rest[:start])
		t.placeholders = append(t.placeholders, p)
		rest = rest[end:]
	}
	t.literals = append(t.literals, rest)
	t.braces = slices.ContainsFunc(t.literals, func(s string) bool { return strings.ContainsAny(s, "{}") })
	return t, nil
}

// whole returns the only placeholder of a text that has nothing else in it.
func (t *textTemplate) whole() (placeholder, bool) {
	if len(t.placeholders) == 1 && t.placeholders[0].text == t.source {
		return t.placeholders[0], true
	}
	return placeholder{}, false
}
