package httpapi

import (
	"encoding/json"
	"fmt"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace"
)

// period is a length of time as it is sent.
type period struct{ json.RawMessage }

// Schema allows text and a number of seconds.
func (period) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Description: "A whole number with a unit, s, m, h or d, or a number of seconds; at most 30 days.",
		OneOf:       []*huma.Schema{{Type: huma.TypeString}, {Type: huma.TypeInteger}}, Examples: []any{"30s"},
	}
}

// value returns the period, 0 when none was sent.
func (p *period) value() (millrace.Period, error) {
	var v millrace.Period
	if p == nil || len(p.RawMessage) == 0 {
		return 0, nil
	}
	return v, json.Unmarshal(p.RawMessage, &v)
}

// must returns a period that was checked.
func (p *period) must() millrace.Period {
	v, err := p.value()
	if err != nil {
		return 0
	}
	return v
}

// check finds what is wrong with a period that was sent.
func (p *period) check(path string) []millrace.Failure {
	if p == nil {
		return nil
	}
	v, err := p.value()
	if known, ok := asError(err); ok {
		return []millrace.Failure{{Path: path, Message: known.Message}}
	}
	if err != nil || v < 1 || v > millrace.MaxPeriod {
		return []millrace.Failure{{Path: path, Message: fmt.Sprintf("must be 1s to %s", millrace.MaxPeriod)}}
	}
	return nil
}

// WorkflowControls are the flow control of a workflow as it is sent.
type WorkflowControls struct {
	IdempotencyKey *string `json:"idempotency_key,omitempty" maxLength:"10000" doc:"JSONata; of the events of a day with the same key, only the first makes a run." example:"invoice"`
	Delay          *period `json:"delay,omitempty" doc:"How long the run waits after it might begin: a number with a unit, s, m, h or d, or of seconds; at most 30 days."`
}

// row returns the config that was sent.
func (c *sentConfig) row() millrace.WorkflowConfig {
	out := millrace.WorkflowConfig{Delay: c.Delay.must(), IdempotencyKey: textOf(c.IdempotencyKey), RunIf: textOf(c.RunIf)}
	if c.Steps != nil {
		out.Steps = c.Steps.rows()
	}
	return out
}

func textOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// check finds what is wrong with the controls.
func (c *WorkflowControls) check(path string) []millrace.Failure {
	out := checkExpression(path+".idempotency_key", textOf(c.IdempotencyKey))
	return append(out, c.Delay.check(path+".delay")...)
}
