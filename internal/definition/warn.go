package definition

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/event/catalogue"
	"github.com/millrace/millrace/internal/expr"
)

// WarnWorkflow finds what is not wrong with a workflow but probably not meant: a trigger that never comes, and names
// that its expressions never see.
func WarnWorkflow(ctx context.Context, v *millrace.Workflow) []millrace.Failure {
	t, known := catalogue.Find(v.Event)
	if !known {
		return nil
	}
	w := &workflowWarnings{event: &t, analyzer: expr.NewAnalyzer(ctx)}
	if t.Example == nil {
		if !t.Open {
			w.list = append(w.list, millrace.Failure{Path: "trigger_name", Message: "this server never emits " + v.Event})
		}
		return w.list
	}
	if t.Open {
		return nil
	}
	for _, n := range t.Scope() {
		w.names = append(w.names, n.Name)
	}
	w.expression("config.run_if", v.Config.RunIf)
	w.controls(&v.Config)
	for i, step := range v.Config.Steps {
		at := fmt.Sprintf("config.steps[%d]", i)
		w.expression(at+".run_if", step.RunIf)
		var source string
		if json.Unmarshal(step.Config, &source) == nil {
			w.expression(at+".config", source)
		} else {
			w.template(at+".config", step.Config)
		}
	}
	return w.list
}

// maxWarnings bounds a response.
const maxWarnings = 100

// workflowWarnings collects reads of names that are in no scope of an event.
type workflowWarnings struct {
	event    *catalogue.Type
	names    []string
	analyzer *expr.Analyzer
	list     []millrace.Failure
}

func (w *workflowWarnings) expression(path, source string) {
	program, err := expr.Compile(source)
	if source == "" || err != nil {
		return // none, or one that is rejected
	}
	a := w.analyzer.Analyze(program)
	if a.Incomplete != "" {
		w.add(millrace.Failure{Path: path, Message: "was not analysed further: " + a.Incomplete})
	}
	for _, r := range a.Reads {
		if len(r.Path) > 0 && !strings.Contains(r.Path[0], "*") {
			f := w.unseen(path, r.Path)
			f.Line, f.Column, f.Offset = r.Place.Line, r.Place.Column, new(r.Place.Offset)
			w.add(f)
		}
	}
}

// controls looks at the keys of flow control.
func (w *workflowWarnings) controls(c *millrace.WorkflowConfig) {
	w.expression("config.idempotency_key", c.IdempotencyKey)
	if c.Debounce != nil {
		w.expression("config.debounce.key", c.Debounce.Key)
	}
	if c.RateLimit != nil {
		w.expression("config.rate_limit.key", c.RateLimit.Key)
	}
	if c.Concurrency != nil {
		w.expression("config.concurrency.key", c.Concurrency.Key)
	}
}

func (w *workflowWarnings) template(path string, config json.RawMessage) {
	parsed, err := expr.ParseJSON(config)
	if err != nil {
		return
	}
	template, err := expr.ParseTemplate(parsed)
	if err != nil {
		return
	}
	for _, read := range template.Paths() {
		if !w.analyzer.Spend(10) {
			w.add(millrace.Failure{Path: path, Message: "was not analysed further: it has too many placeholders"})
			return
		}
		w.add(w.unseen(path, strings.Split(read, ".")))
	}
}

// unseen returns the warning about what is read at the place path, or an empty one when expressions see it.
func (w *workflowWarnings) unseen(place string, path []string) millrace.Failure {
	name, known, of := path[0], w.names, "an event "+w.event.Name
	if slices.Contains(known, name) && len(path) > 1 {
		name, known, of = path[1], w.event.Below(name), name+" of "+of
	}
	if name == "" || strings.Contains(name, "*") || len(known) == 0 || len(w.list) >= maxWarnings || slices.Contains(known, name) || isIndex(name) {
		return millrace.Failure{}
	}
	f := millrace.Failure{Path: place, Message: fmt.Sprintf("%s has nothing called %q", of, millrace.Shorten(name))}
	f.Suggest(name, known)
	return f
}

// isIndex reports whether a name in a placeholder is that of an item of an array.
func isIndex(name string) bool {
	return strings.Trim(name, "0123456789") == ""
}

func (w *workflowWarnings) add(f millrace.Failure) {
	same := func(old millrace.Failure) bool { return old.Path == f.Path && old.Message == f.Message }
	if f.Path != "" && len(w.list) < maxWarnings && !slices.ContainsFunc(w.list, same) {
		w.list = append(w.list, f)
	}
}
