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
	v, err := t.render(scope)
	if err != nil {
		return "", err
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

// paths returns what the template reads.
func (t *template) paths() []string {
	if t == nil || t.compiled == nil {
		return nil
	}
	return t.compiled.Paths()
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

// escaped is a scope whose texts are escaped for a path of a URL when they are read, so that an id with a slash
// stays one segment.
type escaped struct{ scope expr.Value }

// Member returns a member of the scope, escaped.
func (e escaped) Member(name string) (expr.Value, bool) {
	var v expr.Value
	var ok bool
	switch scope := e.scope.(type) {
	case *expr.Object:
		v, ok = scope.Get(name)
	case jsonata.Host:
		v, ok = scope.Member(name)
	}
	return escapeValue(v), ok
}

// JSON is empty: an escaped scope is for placeholders only.
func (e escaped) JSON() expr.Value { return nil }

// String is empty too: an object has no place in a path.
func (e escaped) String() string { return "" }

func escapeValue(v expr.Value) expr.Value {
	switch v := v.(type) {
	case string:
		return url.PathEscape(v)
	case *expr.Array:
		items := make([]expr.Value, v.Len())
		for i, item := range v.Items() {
			items[i] = escapeValue(item)
		}
		return jsonata.NewArray(items...)
	case *expr.Object, jsonata.Host:
		return escaped{v}
	}
	return v
}
