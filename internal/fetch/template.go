package fetch

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

// template is a part of a config with placeholders, and where it stands.
type template struct {
	path     string
	source   string // when it is a text
	compiled *expr.Template
	constant expr.Value // when there is nothing to render
}

// newTemplate compiles a value; one without text cannot hold placeholders and stays as it is.
func newTemplate(path string, v expr.Value) (*template, error) {
	switch v.(type) {
	case string, *expr.Array, *expr.Object:
		compiled, err := expr.ParseTemplate(v)
		if err != nil {
			return nil, err
		}
		source, _ := v.(string)
		return &template{path: path, source: source, compiled: compiled}, nil
	}
	return &template{path: path, constant: v}, nil
}

func (t *template) render(scope expr.Value) (expr.Value, error) {
	if t == nil {
		return nil, nil
	}
	if t.compiled == nil {
		return t.constant, nil
	}
	v, err := t.compiled.Render(scope)
	if err != nil {
		return nil, millrace.Invalid(t.path, "%v", err)
	}
	return v, nil
}

// text renders a template that must not keep a placeholder: sending {{api_key}} as a credential, or asking for
// /users/{{id}}, would only give puzzling answers.
func (t *template) text(scope expr.Value) (string, error) {
	if t == nil {
		return "", nil
	}
	if unresolved.FindString(t.source) != t.source {
		scope = forText(scope)
	}
	return t.finalText(scope)
}

// pathText is text for a template of a URL: values are escaped.
func (t *template) pathText(scope expr.Value) (string, error) { return t.finalText(forPath(scope)) }

func (t *template) finalText(scope expr.Value) (string, error) {
	v, err := t.render(scope)
	if err != nil {
		return "", err
	}
	if _, null := v.(expr.Null); null {
		return "", millrace.Invalid(t.path, "%s is null", t.source)
	}
	s := textOf(v)
	if missing := unresolved.FindString(s); missing != "" {
		return "", millrace.Invalid(t.path, "%s has no value", missing)
	}
	return s, nil
}

// object renders a template of headers or query parameters. Members that are nothing but a placeholder without a
// value are left out, as are those that are null.
func (t *template) object(scope expr.Value) (*expr.Object, error) {
	v, err := t.render(scope)
	if err != nil {
		return nil, err
	}
	o, ok := v.(*expr.Object)
	if !ok {
		return jsonata.NewObject(0), nil
	}
	return dropMissing(o), nil
}

func dropMissing(o *expr.Object) *expr.Object {
	out := jsonata.NewObject(o.Len())
	for key, v := range o.All() {
		switch v := v.(type) {
		case nil, expr.Null:
		case string:
			if !strings.HasPrefix(v, "{{") || unresolved.FindString(v) != v {
				out.Set(key, v)
			}
		case *expr.Object:
			out.Set(key, dropMissing(v))
		default:
			out.Set(key, v)
		}
	}
	return out
}

// reads reports whether the template reads a path below the given root.
func (t *template) reads(root string) bool {
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

// startsWithPlaceholder reports whether the text begins with a placeholder.
func (t *template) startsWithPlaceholder() bool {
	return strings.HasPrefix(strings.TrimSpace(t.source), "{{")
}

// textOf is how a value looks in a URL, a header or a form.
func textOf(v expr.Value) string {
	switch v := v.(type) {
	case nil, expr.Null:
		return ""
	case string:
		return v
	case bool:
		if v {
			return "true"
		}
		return "false"
	case float64:
		return jsonata.FormatNumber(v)
	case *expr.Array:
		parts := make([]string, v.Len())
		for i, item := range v.Items() {
			parts[i] = textOf(item)
		}
		return strings.Join(parts, ",")
	}
	data, err := expr.EncodeJSON(v)
	if err != nil {
		return ""
	}
	return string(data)
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
// credential must arrive as it is.
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
