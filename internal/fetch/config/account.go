package config

import (
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/jsonata"
)

// HookSignature returns how inbound hooks prove where they come from, with placeholders replaced from the context of an account;
// nil when they prove nothing. An error of KindInvalid says which placeholder has no value.
func (c *Config) HookSignature(accountContext map[string]any) (*millrace.HookSignature, error) {
	scope, err := c.hookScope(accountContext)
	if err != nil {
		return nil, err
	}
	return c.Hook.Signature(scope)
}

// hookScope is what the placeholders of a signature refer to: the same as those of a request.
func (c *Config) hookScope(accountContext map[string]any) (*expr.Object, error) {
	context, err := contextObject(accountContext)
	if err != nil {
		return nil, err
	}
	scope := jsonata.NewObject(context.Len() + 3)
	for key, member := range context.All() {
		scope.Set(key, member)
	}
	scope.Set("context", context)
	scope.Set("credentials", context)
	scope.Set("environment_variables", c.Environment(context, nil))
	return scope, nil
}

func contextObject(accountContext map[string]any) (*expr.Object, error) {
	v, err := jsonata.FromGo(accountContext)
	if err != nil {
		return nil, fmt.Errorf("convert context: %w", err)
	}
	context, _ := v.(*expr.Object)
	return expr.OrEmpty(context), nil
}

// VariablesOf is [Config.Environment] for a context that is no value of expressions yet, without those of a request.
func (c *Config) VariablesOf(accountContext map[string]any) (*expr.Object, error) {
	context, err := contextObject(accountContext)
	if err != nil {
		return nil, err
	}
	return c.Environment(context, nil), nil
}

// Environment merges the variables of a context, of the config, and those that a request brings; secret ones win, and those of the
// request over all.
func (c *Config) Environment(context *expr.Object, given expr.Value) *expr.Object {
	merged := jsonata.NewObject(4)
	for _, v := range []expr.Value{
		expr.Get(context, "environment_variables"), c.variables, c.secretVariables,
		expr.Get(context, "secret_environment_variables"), given,
	} {
		if o, ok := v.(*expr.Object); ok {
			for key, member := range expr.OrEmpty(o).All() {
				merged.Set(key, member)
			}
		}
	}
	return merged
}

// Secrets returns what is secret of an account: of its whole context, and of the variables of the config and of a request.
func (c *Config) Secrets(context, variables map[string]any) []string {
	values := c.secret.Values(context)
	for _, from := range []any{context["environment_variables"], jsonata.ToGo(orUndefined(c.variables)), variables} {
		if m, ok := from.(map[string]any); ok {
			values = append(values, c.secret.Variables(m)...)
		}
	}
	return append(values, secret.Scalars(jsonata.ToGo(orUndefined(c.secretVariables)))...)
}

func orUndefined(o *expr.Object) expr.Value {
	if o == nil {
		return nil
	}
	return o
}
