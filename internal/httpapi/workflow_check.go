package httpapi

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/document"
	"github.com/millrace/millrace/internal/expr"
)

// checkTrigger finds a trigger name that nothing ever emits.
func checkTrigger(name string) []millrace.Failure {
	if name == "" {
		return nil // reported as such
	}
	if _, ok := millrace.CanonicalTrigger(name); ok {
		return nil
	}
	f := millrace.Failure{Path: "trigger_name", Code: codeUnknownTrigger, Message: fmt.Sprintf("unknown trigger %q", shorten(name))}
	if strings.HasPrefix(name, "custom:") {
		f.Message += "; a custom event is custom: followed by up to 128 letters, digits, dots, dashes and underscores"
		return []millrace.Failure{f}
	}
	f.Suggest(name, append(millrace.EventNames(), millrace.EventAccountConnected))
	return []millrace.Failure{f}
}

// check finds what is wrong with the meaning of a workflow's fields.
func (f *WorkflowFields) check() []millrace.Failure {
	var out []millrace.Failure
	x := new(expressions)
	if f.Config != nil {
		if f.Config.Steps == nil && f.Steps == nil {
			out = append(out, millrace.Failure{Path: "config.steps", Message: "is required"})
		}
		if f.Config.RunIf != nil {
			out = append(out, x.check("config.run_if", *f.Config.RunIf)...)
			if f.RunIf.Sent && f.RunIf.Value != *f.Config.RunIf {
				out = append(out, millrace.Failure{Path: "run_if", Message: "differs from config.run_if; send one of them"})
			}
		}
		out = append(out, f.Config.check("config", x)...)
		if f.Config.Steps != nil {
			out = append(out, f.Config.Steps.check("config.steps", x)...)
			if f.Steps != nil {
				out = append(out, millrace.Failure{Path: "steps", Message: "stands in config as well; send one of them"})
			}
		}
	}
	out = append(out, x.check("run_if", f.RunIf.Value)...)
	if f.Steps != nil {
		out = append(out, f.Steps.check("steps", x)...)
	}
	return out
}

// expressions are those of one workflow, which together may not take more memory than one document may.
type expressions struct{ size int }

func (x *expressions) check(path, source string) []millrace.Failure {
	if source == "" || x.size > expr.MaxDocument {
		return nil // none, or there are too many, which was said
	}
	program, err := expr.Compile(source)
	if err != nil {
		return []millrace.Failure{expr.FailureOf(path, err)}
	}
	if x.size += program.Size(); x.size > expr.MaxDocument {
		return []millrace.Failure{{Path: path, Message: fmt.Sprintf(
			"with this expression, those of the workflow are larger than %d MiB when they are compiled", expr.MaxDocument>>20)}}
	}
	return nil
}

func (s sentSteps) check(path string, x *expressions) []millrace.Failure {
	var out []millrace.Failure
	for i, step := range s {
		at := fmt.Sprintf("%s[%d]", path, i)
		out = append(out, checkAction(at, step.Action)...)
		if step.RunIf != nil {
			out = append(out, x.check(at+".run_if", *step.RunIf)...)
		}
		out = append(out, checkStepConfig(at+".config", step.Config.RawMessage, x)...)
		timezone := ""
		if step.Timezone != nil {
			timezone = *step.Timezone
		}
		switch {
		case step.CronExpression != nil:
			out = append(out, checkCron(*step.CronExpression, timezone, at)...)
		case timezone != "":
			out = append(out, millrace.Failure{Path: at + ".timezone", Message: "has no meaning without cron_expression"})
		}
	}
	return out
}

func checkAction(path, action string) []millrace.Failure {
	if action == "" || millrace.IsStepAction(action) {
		if action == "" {
			return []millrace.Failure{{Path: path + ".action", Message: "must not be empty"}}
		}
		return nil
	}
	f := millrace.Failure{Path: path + ".action", Message: fmt.Sprintf("unknown action %q; known are %s",
		shorten(action), strings.Join(millrace.StepActions(), ", "))}
	f.Suggestion = millrace.Nearest(action, millrace.StepActions())
	return []millrace.Failure{f}
}

func checkStepConfig(path string, config json.RawMessage, x *expressions) []millrace.Failure {
	root, err := document.ParseJSON(config)
	if err != nil {
		return nil // absent, which is reported as such
	}
	switch root.Kind {
	case document.KindString:
		if strings.TrimSpace(root.Text) == "" {
			return []millrace.Failure{{Path: path, Message: "must not be empty"}}
		}
		return x.check(path, root.Text)
	case document.KindObject:
		return checkInput(path, root)
	case document.KindNull, document.KindBool, document.KindNumber, document.KindArray:
	}
	return nil
}

// inputKeys are the members of run_sync_job's input: what a sync job run or a schedule is made from.
func inputKeys() []string {
	return []string{
		"sync_job_id", "integrated_account_id", "webhook_id", "args", "error_handling", "ignore_previous_run", "resources",
		"super_query", "force", "events_to_send", "datastore_id", "mutex_key", "state_key", "status", "daemon_group_key",
		"meta", "timezone",
	}
}

// mergeMember is the member of a template whose value brings in others, so that what it will hold is not known yet.
const mergeMember = "$truto_merge"

// checkInput checks the object form of run_sync_job's input: its placeholders, its keys, and ids that are not
// placeholders.
func checkInput(path string, root *document.Value) []millrace.Failure {
	var out []millrace.Failure
	parsed, err := expr.ParseJSON(root.JSON())
	if err == nil {
		_, err = expr.ParseTemplate(parsed)
	}
	if err != nil {
		out = append(out, expr.FailureOf(path, err))
	}
	keys := inputKeys()
	for _, m := range root.Members {
		if m.Key == mergeMember {
			return out
		}
		if !slices.Contains(keys, m.Key) {
			f := millrace.Failure{Path: join(path, m.Key), Message: fmt.Sprintf("run_sync_job has no input %q", shorten(m.Key))}
			f.Suggest(m.Key, keys)
			out = append(out, f)
		}
	}
	if root.Get("sync_job_id") == nil {
		out = append(out, millrace.Failure{Path: path + ".sync_job_id", Message: "is required"})
	}
	for _, key := range []string{"sync_job_id", "integrated_account_id", "webhook_id"} {
		id := root.Get(key)
		switch {
		case id == nil || id.Kind == document.KindNull && key != "sync_job_id":
		case id.Kind != document.KindString:
			out = append(out, millrace.Failure{Path: join(path, key), Message: "must be a string, not " + string(id.Kind)})
		case !strings.Contains(id.Text, "{{") && !millrace.IsID(id.Text):
			out = append(out, millrace.Failure{Path: join(path, key), Message: fmt.Sprintf("must be a UUID or a placeholder, not %q", shorten(id.Text))})
		}
	}
	return out
}
