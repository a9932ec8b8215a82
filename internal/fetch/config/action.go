package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/field"
)

// The actions that belong to the connection of an account.
const (
	ActionTest        = "test_credentials"       // before an account is stored, whether what the customer typed works
	ActionPostInstall = "post_install"           // before an account is active
	ActionValidation  = "validation"             // then, whether it works
	ActionForm        = "post_connect_user_form" // when it is active
	ActionRefresh     = "refresh_token"          // instead of the standard refresh
)

// ReservedActions returns the actions that belong to the connection of an account.
func ReservedActions() []string {
	return []string{ActionTest, ActionPostInstall, ActionValidation, ActionForm, ActionRefresh}
}

// ActionStep is one step of an action. Method is set for steps that make a request, Call for those that call a method of a resource,
// Expression or Fixed for those that compute, Form for those that ask a customer.
type ActionStep struct {
	Type       string
	Name       string
	Config     expr.Value
	RunIf      *expr.Program // nil: always
	Method     *Method
	Call       *ResourceCall
	Expression *expr.Program
	Fixed      *field.Template // an object, in place of an expression
	Form       *Form           // of post_connect_user_form
}

// ResourceCall names a method of a resource and what it is called with.
type ResourceCall struct {
	Resource, Method string
	ID, Query, Body  *field.Template
}

// HasAction reports whether a config with overrides merged over it has one of the actions. It reads nothing else of them.
func HasAction(names []string, base json.RawMessage, overrides ...json.RawMessage) (bool, error) {
	slots := make([]json.RawMessage, 0, len(overrides)+1)
	for _, raw := range append([]json.RawMessage{base}, overrides...) {
		var slot struct {
			Actions json.RawMessage `json:"actions,omitempty"`
		}
		if len(raw) > 0 {
			if err := json.Unmarshal(raw, &slot); err != nil {
				return false, millrace.Invalid(RootPath, "%v", err)
			}
		}
		encoded, err := json.Marshal(slot)
		if err != nil {
			return false, err
		}
		slots = append(slots, encoded)
	}
	var merged struct {
		Actions map[string]json.RawMessage `json:"actions"`
	}
	if err := json.Unmarshal(Merge(slots[0], slots[1:]...), &merged); err != nil {
		return false, millrace.Invalid(RootPath+".actions", "must be an object")
	}
	for _, name := range names {
		var action struct {
			Type  json.RawMessage   `json:"type"`
			Steps []json.RawMessage `json:"steps"`
		}
		raw, has := merged.Actions[name]
		if !has {
			continue
		}
		if err := json.Unmarshal(raw, &action); err != nil {
			return false, millrace.Invalid(RootPath+".actions."+name, "must be an object")
		}
		if len(action.Steps) > 0 || len(action.Type) > 0 {
			return true, nil
		}
	}
	return false, nil
}

// parseAction accepts a list of steps, or one step standing for a list.
func parseAction(f field.Field, name string, inherited settings, strict bool) []ActionStep {
	steps := f.Get("steps").List()
	if !f.Get("steps").Present() && f.Get("type").Present() {
		steps = []field.Field{f}
	}
	out := make([]ActionStep, 0, len(steps))
	for _, step := range steps {
		parsed := parseStep(step, inherited)
		switch {
		case name == ActionForm && parsed.Type == "form":
			parsed.Form = parseForm(step.Get("config"), strict)
		case name == ActionForm:
			step.Get("type").Idle("has no effect: this action shows forms only")
		}
		out = append(out, parsed)
	}
	return out
}

// ActionSchedule says when an action runs by itself, for each active account.
type ActionSchedule struct {
	Cron     string
	Timezone string        // IANA name; empty: UTC
	RunIf    *expr.Program // over the context of the account; nil: always
}

// MayHaveSchedules reports whether a config with its overrides may have actions that run by themselves. Without reading them it does not
// know.
func MayHaveSchedules(parts ...json.RawMessage) bool {
	return slices.ContainsFunc(parts, func(raw json.RawMessage) bool { return bytes.Contains(raw, []byte(`"cron_expression"`)) })
}

// parseSchedule reads when an action runs by itself, and checks its steps where no client waits for them.
func (c *Config) parseSchedule(name string, action field.Field, steps []ActionStep) {
	cron := action.Get("cron_expression")
	if cron.Present() {
		if slices.Contains(ReservedActions(), name) {
			cron.Report("the action " + name + " belongs to the connection of an account; it has no schedule")
		}
		c.Schedules[name] = ActionSchedule{Cron: cron.Need(), Timezone: action.Get("timezone").Text(), RunIf: action.Get("run_if").Program()}
	}
	if cron.Present() || name == ActionTest {
		c.checkUnattended(action, steps)
	}
}

// checkUnattended reports the steps of an action that cannot do their work when no client waits for it: a failure at run time would be
// seen by someone who cannot fix the config.
func (c *Config) checkUnattended(f field.Field, steps []ActionStep) {
	if len(steps) == 0 {
		f.Report("has no steps")
	}
	for i, step := range steps {
		at := f
		if list := f.Get("steps"); list.Present() {
			at = list.List()[i]
		}
		switch step.Type {
		case "form":
			at.Get("type").Report("a form waits for a user")
		case "proxy":
			_, err := c.Method(step.Call.Resource, step.Call.Method)
			if known, ok := errors.AsType[*millrace.Error](err); ok && step.Call.Resource != "" && step.Call.Method != "" {
				for _, failure := range known.Failures {
					failure.Path = at.Get("config").Path + "." + failure.Path
					f.Found.List = append(f.Found.List, failure)
				}
			}
		}
	}
}

func parseStep(step field.Field, inherited settings) ActionStep {
	step.Known("type", "config", "run_if", "name")
	config := step.Get("config")
	if kind := step.Get("type").Text(); !slices.Contains(stepTypes(), kind) && millrace.Nearest(kind, stepTypes()) != "" {
		step.Get("type").Suggest(kind, stepTypes(), "%q is not a type of step", kind)
	}
	s := ActionStep{
		Type: step.Get("type").Need(), Name: step.Get("name").Text(), Config: config.Value, RunIf: step.Get("run_if").Program(),
	}
	switch s.Type {
	case "request":
		s.Method = parseMethod(config, "", inherited)
	case "proxy":
		config.Members()
		config.Known("resource", "method", "id", "query", "body")
		s.Call = &ResourceCall{
			Resource: config.Get("resource").Need(), Method: config.Get("method").Need(),
			ID: config.Get("id").Template(), Query: config.Get("query").Template(), Body: config.Get("body").Template(),
		}
	case "update_context", "set_context":
		if o, ok := config.Value.(*expr.Object); ok && o.Len() > 0 && !config.Get("expression").Present() {
			s.Fixed = config.Template()
			break
		}
		s.Expression = config.Get("expression").Program()
	case "transform":
		if _, ok := config.Value.(string); ok {
			s.Expression = config.Program()
		} else {
			s.Expression = config.Get("expression").Program()
		}
	}
	return s
}

func stepTypes() []string {
	return []string{"request", "proxy", "transform", "update_context", "set_context", "get_context", "form"}
}
