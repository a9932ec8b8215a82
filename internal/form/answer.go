package form

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/jsonata"
)

// posted reads what was sent for a field.
func (r *reader) posted(in *config.FormField, out *Field) (expr.Value, string) {
	sent := r.request.Values[in.Name]
	first := ""
	if len(sent) > 0 {
		first = strings.ReplaceAll(strings.TrimSpace(sent[0]), "\r\n", "\n")
	}
	switch in.Type {
	case config.FieldCheckbox:
		return first == "true", ""
	case config.FieldPassword:
		_, out.Kept = r.visit.has[in.Name]
		if len(sent) > 0 && sent[0] != "" {
			return sent[0], ""
		}
		return nil, ""
	case config.FieldNumber:
		n, ok := expr.Number(first)
		if first == "" || !ok {
			return textOrNil(first), ""
		}
		return n, ""
	case config.FieldSingle, config.FieldMulti:
		return r.choices(in, sent)
	}
	return textOrNil(first), ""
}

func textOrNil(text string) expr.Value {
	if text == "" {
		return nil
	}
	return text
}

// maxChoices bounds how many options may be chosen.
const maxChoices = 1000

// choices reads what was chosen: only what was offered counts.
func (r *reader) choices(in *config.FormField, sent []string) (expr.Value, string) {
	failure, values := "", r.stays(in)
	if len(sent) > maxChoices {
		return nil, "form_many"
	}
	for _, token := range sent {
		if token == "" {
			continue
		}
		v, ok := r.offered(in, token)
		if !ok {
			failure = "form_choice"
			continue
		}
		if !slices.ContainsFunc(values, func(known expr.Value) bool { return same(known, v) }) {
			values = append(values, v)
		}
	}
	switch {
	case in.Type == config.FieldMulti:
		return jsonata.NewArray(values...), failure
	case len(values) > 1:
		return nil, "form_choice"
	case len(values) == 1:
		return values[0], failure
	}
	return nil, failure
}

func (r *reader) offered(in *config.FormField, token string) (expr.Value, bool) {
	if in.Source != nil {
		o, ok := r.forms.offered(token, r.data(in))
		return o.value, ok
	}
	for _, option := range in.Options {
		if expr.Text(option.Value) == token {
			return option.Value, true
		}
	}
	return nil, false
}

func same(a, b expr.Value) bool { return expr.Text(a) == expr.Text(b) }

// judge checks an answer and returns its stored form.
func (r *reader) judge(ctx context.Context, in *config.FormField, value expr.Value, kept bool) (expr.Value, string) {
	if isEmpty(value) {
		switch {
		case kept:
			return nil, ""
		case in.Required:
			return value, "is required"
		case value != nil:
			r.store[in.Name] = value
		case r.visit.has[in.Name] != nil:
			r.store[in.Name] = expr.Null{}
		}
		return value, ""
	}
	if len(expr.Text(value)) > maxAnswer {
		return nil, "form_long"
	}
	if message := in.Check(value); message != "" {
		return value, message
	}
	if in.Validation != nil {
		if message := r.validate(ctx, in, value); message != "" {
			return value, message
		}
	}
	stored := in.Stored(value)
	if in.Change != nil {
		changed, err := r.forms.eval(ctx, in.Change, r.about(stored))
		if err != nil || changed == nil {
			r.tell(ctx, in, err)
			return value, "form_invalid_answer"
		}
		stored = changed
	}
	r.store[in.Name] = stored
	return value, ""
}

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 64 << 10

// about is what the expressions of a field see.
func (r *reader) about(value expr.Value) *expr.Object {
	scope := expr.CopyObject(r.scope, scopeRoom)
	answers := jsonata.NewObject(len(r.answers))
	for _, name := range slices.Sorted(maps.Keys(r.answers)) {
		if !r.secret[name] {
			answers.Set(name, r.answers[name])
		}
	}
	scope.Set("context", r.visit.public)
	scope.Set("values", answers)
	scope.Set("value", value)
	return scope
}

// validate returns what an expression says is wrong with a value: a text, or that it is not valid.
func (r *reader) validate(ctx context.Context, in *config.FormField, value expr.Value) string {
	v, err := r.forms.eval(ctx, in.Validation, r.about(value))
	if err != nil {
		r.tell(ctx, in, err)
		return "form_invalid_answer"
	}
	switch v := v.(type) {
	case string:
		return shorten(v, maxDetail)
	case nil, expr.Null:
		return ""
	}
	if expr.Truthy(v) {
		return ""
	}
	return "form_invalid_answer"
}

// tell logs that an expression fails, without its error, which may quote a value.
func (r *reader) tell(ctx context.Context, in *config.FormField, err error) {
	code := ""
	if err != nil {
		code = expr.FailureOf("", err).Code
	}
	r.forms.Logger.WarnContext(ctx, "an expression of a form fails", slog.String("integration", r.visit.Integration), slog.String("field", in.Name), slog.String("code", code))
}

func isEmpty(v expr.Value) bool {
	switch v := v.(type) {
	case nil, expr.Null:
		return true
	case string:
		return v == ""
	case bool:
		return !v
	case *expr.Array:
		return v.Len() == 0
	}
	return false
}
