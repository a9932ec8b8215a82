package config

import (
	"encoding/json"
	"slices"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/field"
	"github.com/millrace/millrace/internal/fetch/hook"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/jsonata"
)

// Config is a checked and compiled integration.config. It is immutable.
type Config struct {
	Label       string
	Resources   map[string]map[string]*Method // resource, then method
	Actions     map[string][]ActionStep
	Schedules   map[string]ActionSchedule // of the actions that run by themselves
	Credentials map[string]Credential     // by format
	Hook        *hook.Hook                // how what the provider sends to us is understood; nil: not at all

	inherited       settings
	RateLimit       *RateLimit
	secret          *secret.Set // what is secret in contexts
	variables       *expr.Object
	secretVariables *expr.Object
}

// RootPath is how the paths of findings begin: the config is the member config of an integration.
const RootPath = "config"

// Parse checks and compiles a config, after overrides were merged over it. The error is of KindInvalid and
// carries everything that was found, each finding with its path, such as config.resources.bookings.list.path.
func Parse(raw json.RawMessage) (*Config, error) {
	c, _, err := parse(raw, true)
	return c, err
}

// Load compiles a config that is stored already. What is wrong with its credentials only matters when they are used, see
// [Credential.Wrong]: an older version may have taken it, and requests to the API need none of it.
func Load(raw json.RawMessage) (*Config, error) {
	c, _, err := parse(raw, false)
	return c, err
}

// Warn returns what is not wrong with a config and has no effect, or needs what this server does not do.
func Warn(raw json.RawMessage) []millrace.Failure {
	_, found, err := parse(raw, true)
	if err != nil {
		return nil
	}
	return found.Idle
}

func parse(raw json.RawMessage, strict bool) (*Config, *field.Findings, error) {
	if len(raw) == 0 {
		raw = json.RawMessage("{}")
	}
	v, err := expr.ParseJSON(raw)
	if err != nil {
		return nil, nil, millrace.Invalid(RootPath, "%v", err)
	}
	found := &field.Findings{}
	root := field.Field{Found: found, Path: RootPath, Value: v}
	if _, ok := v.(*expr.Object); !ok {
		root.Report("must be an object")
		return nil, nil, millrace.InvalidAll(found.List)
	}
	c := parseRoot(root, strict)
	c.secret = secret.NewSet(raw)
	if err := millrace.InvalidAll(found.List); err != nil {
		return nil, nil, err
	}
	return c, found, nil
}

// Slots returns the members at the top of a config, which overrides replace.
func Slots() []string {
	return []string{
		"label", "base_url", "logo", "icon", "headers", "query", "query_array_format", "credentials", "authorization",
		"pagination", "rate_limit", "resources", "webhook", "actions", "error_expression", "tool_tags",
		"environment_variables", "secret_environment_variables",
	}
}

func parseRoot(root field.Field, strict bool) *Config {
	root.Known(Slots()...)
	c := &Config{
		Label:     root.Get("label").Text(),
		Resources: map[string]map[string]*Method{},
		Actions:   map[string][]ActionStep{},
		Schedules: map[string]ActionSchedule{},
	}
	c.inherited = parseSettings(root, settings{})
	c.RateLimit = parseRateLimit(root.Get("rate_limit"))
	c.parseCredentials(root.Get("credentials"), strict)
	c.variables = parseVariables(root.Get("environment_variables"))
	c.secretVariables = parseVariables(root.Get("secret_environment_variables"))
	resources := root.Get("resources")
	for _, resource := range resources.Members() {
		methods := map[string]*Method{}
		for _, m := range resource.Members() {
			methods[m.Name(resource)] = parseMethod(m, m.Name(resource), c.inherited)
		}
		c.Resources[resource.Name(resources)] = methods
	}
	actions := root.Get("actions")
	for _, action := range actions.Members() {
		steps := parseAction(action, action.Name(actions), c.inherited, strict)
		c.Actions[action.Name(actions)] = steps
		c.parseSchedule(action.Name(actions), action, steps)
	}
	c.checkForms(strict)
	c.Hook = hook.Parse(root.Get("webhook"))
	for _, tags := range root.Get("tool_tags").Members() {
		_ = tags.List()
	}
	return c
}

func parseVariables(f field.Field) *expr.Object {
	if len(f.Members()) == 0 {
		return jsonata.NewObject(0)
	}
	o, _ := f.Value.(*expr.Object)
	return o
}

// Method returns a method of a resource.
func (c *Config) Method(resource, method string) (*Method, error) {
	methods, ok := c.Resources[resource]
	if !ok {
		return nil, unknownName("resource", resource, c.Resources)
	}
	m, ok := methods[method]
	if !ok {
		return nil, unknownName("method", method, methods)
	}
	return m, nil
}

func unknownName[V any](what, got string, known map[string]V) error {
	names := make([]string, 0, len(known))
	for name := range known {
		names = append(names, name)
	}
	slices.Sort(names)
	f := field.Field{Found: &field.Findings{}, Path: what}
	f.Suggest(got, names, "the integration has no %s %q", what, got)
	return millrace.InvalidAll(f.Found.List)
}

// BaseURL is that at the top of the config, nil when there is none.
func (c *Config) BaseURL() *field.Template { return c.inherited.BaseURL }
