package plan

import (
	"context"
	"errors"
	"regexp"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

var (
	// wholePlaceholder is text that is one placeholder and therefore no JSONata.
	wholePlaceholder = regexp.MustCompile(`^\s*\{\{[^{}]*\}\}\s*$`)

	// previousOnly is text that is nothing but the date of the previous run. Without a previous run the filter it
	// stands in does not exist.
	previousOnly = regexp.MustCompile(`^\s*\{\{\s*previous_run_date\s*(:\s*(str|any)\s*)?\}\}\s*$`)
)

// Argument is a configured value that is computed for each request: a template with placeholders, or JSONata.
type Argument struct {
	Path     string // for the position of errors
	template *expr.Template
	first    *expr.Template // without the members that need a previous run
	program  *expr.Program
	constant jsonata.Value // that is no template: a number, a boolean or null
}

// templateArgument compiles a value whose texts are templates. Numbers count as their text.
func templateArgument(v jsonata.Value, path string, found *Findings) *Argument {
	switch typed := v.(type) {
	case nil:
		return nil
	case float64:
		v = strconv.FormatFloat(typed, 'f', -1, 64)
	case bool:
		v = strconv.FormatBool(typed)
	}
	a := &Argument{Path: path, template: found.parse(v, path)}
	a.first = a.template
	if stripped, changed := withoutPrevious(v); changed {
		a.first = nil
		if stripped != nil {
			a.first = found.parse(stripped, path)
		}
	}
	return a
}

// anyArgument compiles a value of any type whose texts are templates.
func anyArgument(v jsonata.Value, path string, found *Findings) *Argument {
	switch v.(type) {
	case float64, bool, jsonata.Null:
		return &Argument{Path: path, constant: v}
	}
	return templateArgument(v, path, found)
}

// valueArgument compiles a query or body: objects are templates, text is JSONata unless it is one placeholder.
func valueArgument(v jsonata.Value, path string, found *Findings) *Argument {
	text, ok := v.(string)
	if !ok || wholePlaceholder.MatchString(text) {
		return templateArgument(v, path, found)
	}
	return &Argument{Path: path, program: found.compile(text, path)}
}

// textArgument compiles a template whose result is text: an id.
func textArgument(v jsonata.Value, path string, found *Findings) *Argument {
	switch v.(type) {
	case string, float64:
		return templateArgument(v, path, found)
	}
	found.At(path, "must be text, with or without placeholders")
	return nil
}

// Eval computes the argument; hasPrevious tells whether there is a previous run. A nil argument is undefined.
func (a *Argument) Eval(ctx context.Context, scope jsonata.Value, hasPrevious bool) (jsonata.Value, error) {
	if a == nil {
		return nil, nil
	}
	if a.constant != nil {
		return a.constant, nil
	}
	if a.program != nil {
		return a.program.Eval(ctx, scope, expr.LimitsTransform())
	}
	template := a.template
	if !hasPrevious {
		template = a.first
	}
	if template == nil {
		return nil, nil
	}
	return template.Render(scope)
}

// Text computes an argument that is text: an id.
func (a *Argument) Text(ctx context.Context, scope jsonata.Value) (string, error) {
	v, err := a.Eval(ctx, scope, true)
	if err != nil {
		return "", err
	}
	switch v := v.(type) {
	case nil, jsonata.Null:
		return "", nil
	case string:
		return strings.TrimSpace(v), nil
	case float64:
		return jsonata.FormatNumber(v), nil
	}
	return "", errors.New("is not text")
}

// withoutPrevious returns v without the members whose value is exactly the date of the previous run, and without
// the objects that become empty by that. It reports whether there were any.
func withoutPrevious(v jsonata.Value) (jsonata.Value, bool) {
	switch v := v.(type) {
	case string:
		if previousOnly.MatchString(v) {
			return nil, true
		}
	case *jsonata.Array:
		items, changed := make([]jsonata.Value, 0, v.Len()), false
		for _, item := range v.Items() {
			kept, dropped := withoutPrevious(item)
			changed = changed || dropped
			if kept != nil {
				items = append(items, kept)
			}
		}
		if changed {
			return jsonata.NewArray(items...), true
		}
	case *jsonata.Object:
		return objectWithoutPrevious(v)
	}
	return v, false
}

func objectWithoutPrevious(o *jsonata.Object) (jsonata.Value, bool) {
	out, changed := jsonata.NewObject(o.Len()), false
	for key, member := range o.All() {
		kept, dropped := withoutPrevious(member)
		changed = changed || dropped
		if kept != nil {
			out.Set(key, kept)
		}
	}
	switch {
	case !changed:
		return o, false
	case out.Len() == 0:
		return nil, true
	}
	return out, true
}

// LoopPath is the path to the array that a request is repeated for.
type LoopPath struct {
	template *expr.Template
	first    string
	rest     []string
}

// parseLoop compiles a loop_on, which is a bare path; braces around it are forgiven.
func parseLoop(v jsonata.Value, path string, found *Findings) *LoopPath {
	text, ok := v.(string)
	if !ok {
		found.At(path, "must be the path of an array, such as args.user_ids")
		return nil
	}
	text = strings.TrimSpace(text)
	text = strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(text, "{{"), "}}"))
	names := strings.Split(text, ".")
	if text == "" || strings.ContainsAny(text, "{}|:?") {
		found.At(path, "must be the path of an array, such as args.user_ids")
		return nil
	}
	return &LoopPath{template: found.parse("{{"+text+":any:undefined}}", path), first: names[0], rest: names[1:]}
}

// Elements returns what the loop runs over. Anything but an array is its only element; nothing is no element.
func (l *LoopPath) Elements(scope jsonata.Value) ([]jsonata.Value, error) {
	v, err := l.template.Render(scope)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case nil, jsonata.Null:
		return nil, nil
	case *jsonata.Array:
		return v.Items(), nil
	}
	return []jsonata.Value{v}, nil
}

// Holds reports whether the request is to be repeated for the record in scope.
func (r *Recursion) Holds(sc Scope) (bool, error) {
	v, err := r.condition.Render(sc.Root)
	return err == nil && yes(v), err
}

// yes reports whether a rendered condition holds. A placeholder that found nothing stays as written, and text
// such as "false" or "0" does not hold.
func yes(v jsonata.Value) bool {
	if text, ok := v.(string); ok {
		switch text {
		case "false", "0", "null", "undefined":
			return false
		}
		return text != "" && !wholePlaceholder.MatchString(text)
	}
	return expr.Truthy(v)
}
