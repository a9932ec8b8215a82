package definition

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace"
)

// CodeUnknownTrigger marks the finding that nothing ever emits the trigger of a workflow.
const CodeUnknownTrigger = "unknown_trigger"

// Workflow is a workflow as written. run_if and steps may also stand beside config, as some clients send them.
type Workflow struct {
	Trigger *string
	Config  *Config
	RunIf   *string
	Steps   Steps
}

// Config says when a workflow runs and what it does.
type Config struct {
	_     struct{} `additionalProperties:"false"`
	RunIf *string  `json:"run_if,omitempty" doc:"JSONata; the workflow runs when it holds." example:"integration.name = 'calcom'"`
	Steps *Steps   `json:"steps,omitempty" minItems:"1" maxItems:"100" doc:"What to do, in order."`
	Controls
}

// Steps are the steps of a workflow, in order.
type Steps []Step

// Step is one step. An unknown key is an error: a run_if with a typing mistake would run always.
type Step struct {
	_              struct{} `additionalProperties:"false"`
	Type           string   `json:"type" enum:"run" doc:"The kind of step."`
	Action         string   `json:"action" doc:"What to do." example:"run_sync_job"`
	RunIf          *string  `json:"run_if,omitempty" doc:"JSONata; the step is skipped when it does not hold."`
	Config         Input    `json:"config" doc:"The action's input: JSONata that returns it, or an object with {{placeholders}}."`
	CronExpression *string  `json:"cron_expression,omitempty" doc:"Five fields; the step then makes a schedule instead of a run." example:"0 */6 * * *"`
	Timezone       *string  `json:"timezone,omitempty" doc:"An IANA name; UTC when absent."`
	CatchUp        *string  `json:"catch_up,omitempty" enum:"one,none,all" doc:"What becomes of instants that passed while no server was running; also possible in config."`
	Overlap        *string  `json:"overlap,omitempty" enum:"queue,skip,allow" doc:"What becomes of an instant while an earlier run has not ended; also possible in config."`
	Spread         *int64   `json:"spread,omitempty" minimum:"0" maximum:"86400" doc:"Start up to so many seconds after the instant; also possible in config."`
}

// Row returns the config as stored.
func (c *Config) Row() millrace.WorkflowConfig {
	out := c.row()
	out.RunIf = textOf(c.RunIf)
	if c.Steps != nil {
		out.Steps = c.Steps.Rows()
	}
	return out
}

// Rows returns the steps as stored.
func (s Steps) Rows() []millrace.Step {
	out := make([]millrace.Step, len(s))
	for i, step := range s {
		out[i] = millrace.Step{
			Type: step.Type, Action: step.Action, Config: step.Config.RawMessage,
			RunIf: textOf(step.RunIf), CronExpression: textOf(step.CronExpression), Timezone: textOf(step.Timezone),
			CatchUp: millrace.CatchUp(textOf(step.CatchUp)), Overlap: millrace.Overlap(textOf(step.Overlap)), Spread: step.Spread,
		}
	}
	return out
}

func textOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// Check returns what is wrong with what there is of a workflow.
func (w *Workflow) Check() []millrace.Failure {
	var out []millrace.Failure
	if w.Trigger != nil {
		out = checkTrigger(*w.Trigger)
	}
	x := new(expressions)
	out = append(out, w.checkConfig(x)...)
	out = append(out, x.check("run_if", textOf(w.RunIf))...)
	return append(out, w.Steps.check("steps", x)...)
}

// CheckWhole is [Workflow.Check] for a workflow of which nothing may be missing.
func (w *Workflow) CheckWhole() []millrace.Failure {
	out := w.Check()
	if w.Config == nil && w.Steps == nil {
		out = append(out, millrace.Failure{Path: "config", Message: "is required"})
	}
	return out
}

// checkTrigger finds a trigger name that nothing ever emits.
func checkTrigger(name string) []millrace.Failure {
	if name == "" {
		return nil // reported as such
	}
	if _, ok := millrace.CanonicalTrigger(name); ok {
		return nil
	}
	f := millrace.Failure{Path: "trigger_name", Code: CodeUnknownTrigger, Message: fmt.Sprintf("unknown trigger %q", millrace.Shorten(name))}
	if strings.HasPrefix(name, "custom:") {
		f.Message += "; a custom event is custom: followed by up to 128 letters, digits, dots, dashes and underscores"
		return []millrace.Failure{f}
	}
	f.Suggest(name, append(millrace.EventNames(), millrace.EventAccountConnected))
	return []millrace.Failure{f}
}

func (w *Workflow) checkConfig(x *expressions) []millrace.Failure {
	c := w.Config
	if c == nil {
		return nil
	}
	var out []millrace.Failure
	if c.Steps == nil && w.Steps == nil {
		out = append(out, millrace.Failure{Path: "config.steps", Message: "is required"})
	}
	if c.RunIf != nil {
		out = append(out, x.check("config.run_if", *c.RunIf)...)
		if w.RunIf != nil && *w.RunIf != *c.RunIf {
			out = append(out, millrace.Failure{Path: "run_if", Message: "differs from config.run_if; send only one"})
		}
	}
	out = append(out, c.check("config", x)...)
	if c.Steps != nil {
		out = append(out, c.Steps.check("config.steps", x)...)
		if w.Steps != nil {
			out = append(out, millrace.Failure{Path: "steps", Message: "is also set in config; send only one"})
		}
	}
	return out
}

func (s Steps) check(path string, x *expressions) []millrace.Failure {
	var out []millrace.Failure
	for i, step := range s {
		at := fmt.Sprintf("%s[%d]", path, i)
		out = append(out, checkAction(at, step.Action)...)
		out = append(out, x.check(at+".run_if", textOf(step.RunIf))...)
		out = append(out, step.Config.check(at+".config", x)...)
		timezone := textOf(step.Timezone)
		switch {
		case step.CronExpression != nil:
			out = append(out, CheckCron(*step.CronExpression, timezone, at)...)
		default:
			for name, sent := range map[string]bool{"timezone": timezone != "", "catch_up": step.CatchUp != nil, "overlap": step.Overlap != nil, "spread": step.Spread != nil} {
				if sent {
					out = append(out, millrace.Failure{Path: at + "." + name, Message: "has no meaning without cron_expression"})
				}
			}
		}
	}
	return out
}

func checkAction(path, action string) []millrace.Failure {
	known := millrace.StepActions()
	switch {
	case action == "":
		return []millrace.Failure{{Path: path + ".action", Message: "must not be empty"}}
	case slices.Contains(known, action):
		return nil
	}
	f := millrace.Failure{Path: path + ".action", Message: fmt.Sprintf("unknown action %q; known are %s",
		millrace.Shorten(action), strings.Join(known, ", "))}
	f.Suggest(action, known)
	return []millrace.Failure{f}
}

// Input is the input of a step's action: JSONata text, or an object whose texts contain placeholders.
type Input struct{ json.RawMessage }
