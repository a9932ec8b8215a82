package fetch

import (
	"encoding/json"
	"slices"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/jsonata"
)

// Config is a checked and compiled integration.config. It is immutable.
type Config struct {
	Label       string
	Resources   map[string]map[string]*Method // resource, then method
	Actions     map[string][]ActionStep
	Credentials map[string]Credential // by format
	Hook        *Hook                 // how what the third party sends to us is understood; nil: not at all

	inherited       settings
	rateLimit       *rateLimit
	secret          *secret.Set // what is secret in contexts
	variables       *expr.Object
	secretVariables *expr.Object
}

// Credential says how accounts get their credentials.
type Credential struct {
	Format string
	Config expr.Value
}

// ActionStep is one step of an action. Method is set for steps that make a request, Expression for those that compute.
type ActionStep struct {
	Type       string
	Config     expr.Value
	RunIf      *expr.Program // nil: always
	Method     *Method
	Expression *expr.Program
}

// rootPath is how the paths of findings begin: the config is the member config of an integration.
const rootPath = "config"

// ParseConfig checks and compiles a config, after overrides were merged over it. The error is of KindInvalid and
// carries everything that was found, each finding with its path, such as config.resources.bookings.list.path.
func ParseConfig(raw json.RawMessage) (*Config, error) {
	if len(raw) == 0 {
		raw = json.RawMessage("{}")
	}
	v, err := expr.ParseJSON(raw)
	if err != nil {
		return nil, millrace.Invalid(rootPath, "%v", err)
	}
	found := &findings{}
	root := field{found: found, path: rootPath, value: v}
	if _, ok := v.(*expr.Object); !ok {
		root.report("must be an object")
		return nil, millrace.InvalidAll(found.list)
	}
	c := parseRoot(root)
	c.secret = secret.NewSet(raw)
	if err := millrace.InvalidAll(found.list); err != nil {
		return nil, err
	}
	return c, nil
}

func parseRoot(root field) *Config {
	root.known("label", "base_url", "logo", "icon", "headers", "query", "query_array_format", "credentials", "authorization",
		"pagination", "rate_limit", "resources", "webhook", "actions", "error_expression", "tool_tags",
		"environment_variables", "secret_environment_variables")
	c := &Config{
		Label:     root.get("label").text(),
		Resources: map[string]map[string]*Method{},
		Actions:   map[string][]ActionStep{},
	}
	c.inherited = parseSettings(root, settings{})
	c.rateLimit = parseRateLimit(root.get("rate_limit"))
	c.parseCredentials(root.get("credentials"))
	c.variables = parseVariables(root.get("environment_variables"))
	c.secretVariables = parseVariables(root.get("secret_environment_variables"))
	resources := root.get("resources")
	for _, resource := range resources.object() {
		methods := map[string]*Method{}
		for _, m := range resource.object() {
			methods[m.name(resource)] = parseMethod(m, m.name(resource), c.inherited)
		}
		c.Resources[resource.name(resources)] = methods
	}
	actions := root.get("actions")
	for _, action := range actions.object() {
		c.Actions[action.name(actions)] = parseAction(action, c.inherited)
	}
	c.Hook = parseHook(root.get("webhook"))
	for _, tags := range root.get("tool_tags").object() {
		_ = tags.list()
	}
	return c
}

func parseVariables(f field) *expr.Object {
	if len(f.object()) == 0 {
		return jsonata.NewObject(0)
	}
	o, _ := f.value.(*expr.Object)
	return o
}

// parseCredentials accepts one credential, or a map from format to credential.
func (c *Config) parseCredentials(f field) {
	c.Credentials = map[string]Credential{}
	if _, single := f.get("format").value.(string); single {
		c.parseCredential(f, "")
		return
	}
	for _, credential := range f.object() {
		c.parseCredential(credential, credential.name(f))
	}
}

func (c *Config) parseCredential(f field, key string) {
	formats := []string{"api_key", "oauth2", "oauth2_client_credentials", "oauth", "keka_oauth", "basic"}
	f.known("format", "config")
	format := key
	if f.get("format").present() || key == "" {
		format = f.get("format").need()
	}
	if !slices.Contains(formats, format) && closest(format, formats) != "" {
		f.get("format").suggest(format, formats, "%q is not a format of credentials", format)
	}
	config := f.get("config")
	if format == "oauth2" || format == "oauth2_client_credentials" {
		auth := config.get("auth")
		auth.object()
		auth.known("tokenHost", "tokenPath", "authorizeHost", "authorizePath", "refreshPath", "revokePath")
		auth.get("tokenHost").need()
	}
	for _, input := range config.get("fields").list() {
		input.get("name").need()
	}
	c.Credentials[format] = Credential{Format: format, Config: config.value}
}

// parseAction accepts a list of steps, or one step standing for a list.
func parseAction(f field, inherited settings) []ActionStep {
	steps := f.get("steps").list()
	if !f.get("steps").present() && f.get("type").present() {
		steps = []field{f}
	}
	out := make([]ActionStep, 0, len(steps))
	for _, step := range steps {
		step.known("type", "config", "run_if", "name")
		config := step.get("config")
		if kind := step.get("type").text(); !slices.Contains(stepTypes(), kind) && closest(kind, stepTypes()) != "" {
			step.get("type").suggest(kind, stepTypes(), "%q is not a type of step", kind)
		}
		s := ActionStep{Type: step.get("type").need(), Config: config.value, RunIf: step.get("run_if").program()}
		switch s.Type {
		case "request":
			s.Method = parseMethod(config, "", inherited)
		case "update_context", "set_context":
			s.Expression = config.get("expression").program()
		case "transform":
			if _, ok := config.value.(string); ok {
				s.Expression = config.program()
			} else {
				s.Expression = config.get("expression").program()
			}
		}
		out = append(out, s)
	}
	return out
}

func stepTypes() []string {
	return []string{"request", "transform", "update_context", "set_context", "get_context", "form"}
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
	f := field{found: &findings{}, path: what}
	f.suggest(got, names, "the integration has no %s %q", what, got)
	return millrace.InvalidAll(f.found.list)
}
