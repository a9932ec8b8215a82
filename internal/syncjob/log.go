package syncjob

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/jsonata"
)

// Bounds of the log of one run. What a run delivers is no part of it: that is told by the deliveries.
const (
	maxLines = 1000 // beside the line about its end
	maxDebug = 200  // of these lines
	maxShown = 4096 // bytes of an expression's input or output
)

// logged counts a line and reports whether there is room for it. The last one says that it is the last.
func (e *evaluation) logged(line *millrace.RunLog) bool {
	if e.point.Logged >= maxLines {
		return false
	}
	e.point.Logged++
	if e.point.Logged == maxLines {
		line.Message += fmt.Sprintf(" (the log keeps no more than %d lines of a run)", maxLines)
	}
	return true
}

// errorLine returns the line about a problem, or nil when there is no room for it.
func (e *evaluation) errorLine(p *problem) *millrace.RunLog {
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

// limitLine returns the line about a rate limit, or nil when there is no room for it.
func (e *evaluation) limitLine(pause time.Duration) (*millrace.RunLog, error) {
	line := &millrace.RunLog{Level: millrace.LogInfo, Message: "the third party limits the rate"}
	if !e.logged(line) {
		return nil, nil //nolint:nilnil // no line is an answer
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
func (e *evaluation) debug(n *node, sc scope, output jsonata.Value, err error) {
	if !n.debug || e.point.Debugged >= maxDebug {
		return
	}
	line := &millrace.RunLog{
		Level: millrace.LogDebug, Node: n.name, Resource: n.resource(), Method: n.method(), Message: fmt.Sprintf("%s %s", n.kind, quote(n.name)),
	}
	input := jsonata.NewObject(sc.root.Len())
	for _, key := range []string{"resources", "args"} {
		input.Set(key, present(sc.root, key))
	}
	for key, v := range sc.root.All() {
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
	e.point.Debugged++
	line.Detail = raw
	e.lines = append(e.lines, line)
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

// untold returns the line that takes the place of an output which nobody gets. Records leave no line.
func untold(out output) []*millrace.RunLog {
	if out.event == millrace.EventRunRecord {
		return nil
	}
	line := out.line
	if line == nil && out.event != millrace.EventRunRecordError {
		line = &millrace.RunLog{Level: millrace.LogInfo, Message: "no webhook was told"}
	}
	if line == nil {
		return nil
	}
	line.Event = out.event
	return []*millrace.RunLog{line}
}

// complete fills in what all lines of a freeze have in common. They are a microsecond apart, so that they keep their order.
func (s *slice) complete(lines []*millrace.RunLog) {
	now := s.r.now()
	for i, line := range lines {
		line.ID = millrace.NewID[millrace.RunLogID]()
		line.EnvironmentID, line.SyncJobRunID = s.run.EnvironmentID, s.run.ID
		line.CreatedAt = now + millrace.Time(i)
	}
}
