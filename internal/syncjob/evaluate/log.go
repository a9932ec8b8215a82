package evaluate

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/syncjob/plan"
	"github.com/millrace/millrace/jsonata"
)

// Bounds of the log of one run. What a run delivers is no part of it: the deliveries show that.
const (
	maxLines = 1000 // beside the line about its end
	maxDebug = 200  // of these lines
	maxShown = 4096 // bytes of an expression's input or output
)

// logged counts a line and reports whether there is room for it. The last one says that it is the last.
func (e *Evaluation) logged(line *millrace.RunLog) bool {
	if e.Point.Logged >= maxLines {
		return false
	}
	e.Point.Logged++
	if e.Point.Logged == maxLines {
		line.Message += fmt.Sprintf(" (the log keeps no more than %d lines of a run)", maxLines)
	}
	return true
}

// errorLine returns the line about a problem, or nil when there is no room for it.
func (e *Evaluation) errorLine(p *Problem) *millrace.RunLog {
	line := &millrace.RunLog{
		Event: millrace.EventRunRecordError, Level: millrace.LogError, Node: p.Node, Resource: p.Resource, Method: p.method, Message: p.Message,
	}
	detail, err := json.Marshal(p.RunError)
	if err != nil || !e.logged(line) {
		return nil
	}
	line.Detail = detail
	return line
}

// Held logs that a change of the state is held back.
func (e *Evaluation) Held(n *plan.Node, key, why string) {
	line := &millrace.RunLog{
		Level: millrace.LogInfo, Node: n.Name, Resource: n.Resource(), Method: n.Method(),
		Message: fmt.Sprintf("the entry %q of the state is left unchanged: %s, and on_partial is not write", key, why),
	}
	if e.logged(line) {
		e.Lines = append(e.Lines, line)
	}
}

// LimitLine returns the line about a rate limit, or nil when there is no room for it.
func (e *Evaluation) LimitLine(pause time.Duration) (*millrace.RunLog, error) {
	line := &millrace.RunLog{Level: millrace.LogInfo, Message: "the provider limits the rate"}
	if !e.logged(line) {
		return nil, nil //nolint:nilnil // no line is a valid result
	}
	raw, err := json.Marshal(map[string]int64{"retry_after": int64((pause + time.Second - 1) / time.Second)})
	if err != nil {
		return nil, fmt.Errorf("encode log: %w", err)
	}
	line.Detail = raw
	return line, nil
}

// debug logs what the expression of a node with debug got and returned. The scope has no credentials; what it has of
// the run itself is not repeated.
func (e *Evaluation) debug(n *plan.Node, sc plan.Scope, output jsonata.Value, err error) {
	if !n.Debug || e.Point.Debugged >= maxDebug {
		return
	}
	line := &millrace.RunLog{
		Level: millrace.LogDebug, Node: n.Name, Resource: n.Resource(), Method: n.Method(), Message: string(n.Kind) + ` "` + n.Name + `"`,
	}
	input := jsonata.NewObject(sc.Root.Len())
	for _, key := range []string{"resources", "args"} {
		input.Set(key, expr.Member(sc.Root, key))
	}
	for key, v := range sc.Root.All() {
		if key != "sync_job_run" {
			input.Set(key, v)
		}
	}
	detail := map[string]string{"input": shown(input), "output": shown(output)}
	if err != nil {
		delete(detail, "output")
		detail["error"] = cut(err.Error())
	}
	raw, err := json.Marshal(detail)
	if err != nil || !e.logged(line) {
		return
	}
	e.Point.Debugged++
	line.Detail = raw
	e.Lines = append(e.Lines, line)
}

// shown is the beginning of a value as JSON text.
func shown(v jsonata.Value) string {
	if v == nil {
		return "undefined"
	}
	raw, err := jsonata.ToJSON(v)
	if err != nil {
		return cut("not JSON: " + err.Error())
	}
	if len(raw) > maxShown {
		return cut(string(raw[:maxShown+1]))
	}
	return string(raw)
}

func cut(text string) string {
	if len(text) <= maxShown {
		return text
	}
	return strings.ToValidUTF8(text[:maxShown], "") + "..."
}
