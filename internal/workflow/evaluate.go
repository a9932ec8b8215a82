package workflow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// evaluate computes the input of a step's action, or that the step is skipped, or why neither can be known.
func evaluate(ctx context.Context, step *millrace.Step, path string, scope expr.Value) (json.RawMessage, bool, *millrace.Failure) {
	if step.RunIf != "" {
		holds, err := condition(ctx, step.RunIf, scope)
		if err != nil {
			f := expr.FailureOf(path+".run_if", err)
			return nil, false, &f
		}
		if !holds {
			return nil, true, nil
		}
	}
	input, err := config(ctx, step.Config, scope)
	if err != nil {
		f := expr.FailureOf(path+".config", err)
		return nil, false, &f
	}
	return input, false, nil
}

// evaluates reports whether a step has expressions, besides placeholders, which cost next to nothing.
func evaluates(step *millrace.Step) bool {
	return step.RunIf != "" || bytes.HasPrefix(bytes.TrimSpace(step.Config), []byte(`"`))
}

func condition(ctx context.Context, source string, scope expr.Value) (bool, error) {
	program, err := expr.Compile(source)
	if err != nil {
		return false, err
	}
	return program.Test(ctx, scope)
}

// config evaluates a step's config: a JSON string is JSONata, an object has {{placeholders}}.
func config(ctx context.Context, raw json.RawMessage, scope expr.Value) (json.RawMessage, error) {
	var v expr.Value
	var err error
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte(`"`)) {
		v, err = expression(ctx, raw, scope)
	} else {
		v, err = template(raw, scope)
	}
	if err != nil {
		return nil, err
	}
	if _, ok := v.(*jsonata.Object); !ok {
		return nil, fmt.Errorf("must yield an object, yields %s", describe(v))
	}
	return expr.EncodeJSON(v)
}

func expression(ctx context.Context, raw json.RawMessage, scope expr.Value) (expr.Value, error) {
	var source string
	if err := json.Unmarshal(raw, &source); err != nil {
		return nil, err
	}
	program, err := expr.Compile(source)
	if err != nil {
		return nil, err
	}
	return program.Eval(ctx, scope, expr.LimitsCondition())
}

func template(raw json.RawMessage, scope expr.Value) (expr.Value, error) {
	v, err := expr.ParseJSON(raw)
	if err != nil {
		return nil, err
	}
	t, err := expr.ParseTemplate(v)
	if err != nil {
		return nil, err
	}
	return t.Render(scope)
}

// describe names a value for a message.
func describe(v expr.Value) string {
	if v == nil {
		return "nothing"
	}
	text, err := expr.EncodeJSON(v)
	if err != nil {
		return "a value that is not JSON"
	}
	const most = 80
	if len(text) > most {
		text = append(bytes.ToValidUTF8(text[:most], nil), "..."...)
	}
	return string(text)
}

// failureOf returns the finding of an error that repetition cannot fix, nil for all others.
func failureOf(err error) *millrace.Failure {
	var e *millrace.Error
	if !errors.As(err, &e) || (e.Kind != millrace.KindInvalid && e.Kind != millrace.KindNotFound && e.Kind != millrace.KindConflict) {
		return nil
	}
	f := millrace.Failure{Message: e.Message}
	if len(e.Failures) > 0 {
		f = e.Failures[0]
		for _, more := range e.Failures[1:] {
			f.Message += fmt.Sprintf("; %s: %s", more.Path, more.Message)
		}
	}
	return &f
}
