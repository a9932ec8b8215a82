package field

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// unresolved matches a placeholder that found nothing and stands for itself.
var unresolved = regexp.MustCompile(`\{\{[\w\-./|:?\s]+\}\}`)

// Template is a part of a config with placeholders, and where it stands.
type Template struct {
	Path     string
	Source   string // when it is a text
	compiled *expr.Template
	Constant expr.Value // when there is nothing to render
}

// newTemplate compiles a value; one without text cannot hold placeholders and stays unchanged.
func newTemplate(path string, v expr.Value) (*Template, error) {
	switch v.(type) {
	case string, *expr.Array, *expr.Object:
		compiled, err := expr.ParseTemplate(v)
		if err != nil {
			return nil, err
		}
		source, _ := v.(string)
		return &Template{Path: path, Source: source, compiled: compiled}, nil
	}
	return &Template{Path: path, Constant: v}, nil
}

// Render returns the value of the template for a scope, nil for a nil template.
func (t *Template) Render(scope expr.Value) (expr.Value, error) {
	if t == nil {
		return nil, nil
	}
	if t.compiled == nil {
		return t.Constant, nil
	}
	v, err := t.compiled.Render(scope)
	if err != nil {
		return nil, millrace.Invalid(t.Path, "%v", err)
	}
	return v, nil
}

// Text renders a template that must not keep a placeholder: sending {{api_key}} as a credential, or asking for
// /users/{{id}}, would only get puzzling responses.
func (t *Template) Text(scope expr.Value) (string, error) {
	if t == nil {
		return "", nil
	}
	if unresolved.FindString(t.Source) != t.Source {
		scope = forText(scope)
	}
	return t.finalText(scope)
}

// PathText is text for a template of a URL: values are escaped.
func (t *Template) PathText(scope expr.Value) (string, error) { return t.finalText(forPath(scope)) }

func (t *Template) finalText(scope expr.Value) (string, error) {
	v, err := t.Render(scope)
	if err != nil {
		return "", err
	}
	if _, null := v.(expr.Null); null {
		return "", millrace.Invalid(t.Path, "%s is null", t.Source)
	}
	s := expr.Text(v)
	if missing := unresolved.FindString(s); missing != "" {
		return "", millrace.Invalid(t.Path, "%s has no value", missing)
	}
	return s, nil
}

// Object renders a template of headers or query parameters. Members that are nothing but a placeholder without a
// Value are left out, as are those that are null.
func (t *Template) Object(scope expr.Value) (*expr.Object, error) {
	v, err := t.Render(scope)
	if err != nil {
		return nil, err
	}
	o, ok := v.(*expr.Object)
	if !ok {
		return jsonata.NewObject(0), nil
	}
	return DropMissing(o), nil
}

// DropMissing returns an object without members that are undefined, null or a placeholder for which there was no value, at any
// depth.
func DropMissing(o *expr.Object) *expr.Object {
	out := jsonata.NewObject(o.Len())
	for key, v := range o.All() {
		switch v := v.(type) {
		case nil, expr.Null:
		case string:
			if !strings.HasPrefix(v, "{{") || unresolved.FindString(v) != v {
				out.Set(key, v)
			}
		case *expr.Object:
			out.Set(key, DropMissing(v))
		default:
			out.Set(key, v)
		}
	}
	return out
}

// Reads reports whether the template reads a path below the given root.
func (t *Template) Reads(root string) bool {
	if t == nil || t.compiled == nil {
		return false
	}
	for _, p := range t.compiled.Paths() {
		if p == root || strings.HasPrefix(p, root+".") {
			return true
		}
	}
	return false
}

// StartsWithPlaceholder reports whether the text begins with a placeholder.
func (t *Template) StartsWithPlaceholder() bool {
	return strings.HasPrefix(strings.TrimSpace(t.Source), "{{")
}

// mapped is a scope whose texts are changed when they are read.
type mapped struct {
	scope  expr.Value
	change func(string) string
}

// forPath is a scope for a template of a URL: an id with a slash stays one segment. The dollar sign is escaped as
// well, because a placeholder inside a longer text gives it a meaning.
func forPath(scope expr.Value) mapped {
	return mapped{scope, func(s string) string { return strings.ReplaceAll(url.PathEscape(s), "$", "%24") }}
}

// forText is a scope for a template whose placeholders stand inside a longer text, where $$ means one dollar sign. A
// credential must arrive unchanged.
func forText(scope expr.Value) mapped {
	return mapped{scope, func(s string) string { return strings.ReplaceAll(s, "$", "$$") }}
}

// Member returns a member of the scope, changed.
func (m mapped) Member(name string) (expr.Value, bool) {
	var v expr.Value
	var ok bool
	switch scope := m.scope.(type) {
	case *expr.Object:
		v, ok = scope.Get(name)
	case jsonata.Host:
		v, ok = scope.Member(name)
	}
	return m.value(v), ok
}

// JSON is empty: a mapped scope is for placeholders only.
func (mapped) JSON() expr.Value { return nil }

// String is empty too: an object has no place in a text.
func (mapped) String() string { return "" }

func (m mapped) value(v expr.Value) expr.Value {
	switch v := v.(type) {
	case string:
		return m.change(v)
	case *expr.Array:
		items := make([]expr.Value, v.Len())
		for i, item := range v.Items() {
			items[i] = m.value(item)
		}
		return jsonata.NewArray(items...)
	case *expr.Object, jsonata.Host:
		return mapped{v, m.change}
	case expr.Null:
		return nil // "null" is no host and no id
	}
	return v
}
