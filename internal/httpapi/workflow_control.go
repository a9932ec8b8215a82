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
func (*period) Schema(huma.Registry) *huma.Schema {
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
	IdempotencyKey *string          `json:"idempotency_key,omitempty" maxLength:"10000" doc:"JSONata; of the events of a day with the same key, only the first makes a run." example:"invoice"`
	Debounce       *sentDebounce    `json:"debounce,omitempty" doc:"One run for events that come close together, with the last of them."`
	RateLimit      *sentRateLimit   `json:"rate_limit,omitempty" doc:"How many runs begin in any period. What is too much begins later."`
	Concurrency    *sentConcurrency `json:"concurrency,omitempty" doc:"How many runs go at once, with the sync job runs that they have started."`
	Delay          *period          `json:"delay,omitempty" doc:"How long the run waits after it might begin: a number with a unit, s, m, h or d, or of seconds; at most 30 days."`
}

// sentDebounce is debounce as it is sent.
type sentDebounce struct {
	_      struct{} `additionalProperties:"false"`
	Key    *string  `json:"key,omitempty" maxLength:"10000" doc:"JSONata; events with different keys do not wait for each other. Absent, or when it yields nothing: one for the whole workflow."`
	Period *period  `json:"period" doc:"From the last event to the run."`
	Max    *period  `json:"max,omitempty" doc:"From the first event to the run, at most; 30 days when absent."`
}

// sentRateLimit is rate_limit as it is sent.
type sentRateLimit struct {
	_      struct{} `additionalProperties:"false"`
	Key    *string  `json:"key,omitempty" maxLength:"10000" doc:"JSONata; runs with different keys are counted apart. Absent, or when it yields nothing: one for the whole workflow."`
	Limit  int64    `json:"limit" minimum:"1" maximum:"10000"`
	Period *period  `json:"period"`
}

// sentConcurrency is concurrency as it is sent.
type sentConcurrency struct {
	_          struct{}             `additionalProperties:"false"`
	Key        *string              `json:"key,omitempty" maxLength:"10000" doc:"JSONata; runs with different keys are counted apart. Absent, or when it yields nothing: one for the whole workflow."`
	Limit      int64                `json:"limit" minimum:"1" maximum:"1000"`
	OnConflict *millrace.OnConflict `json:"on_conflict,omitempty" enum:"queue,skip,cancel_running" doc:"When the limit is reached: the run waits for its turn (queue, when absent), there is none (skip), or the oldest makes way (cancel_running)."`
}

// row returns the config that was sent.
func (c *sentConfig) row() millrace.WorkflowConfig {
	out := millrace.WorkflowConfig{RunIf: textOf(c.RunIf), IdempotencyKey: textOf(c.IdempotencyKey), Delay: c.Delay.must()}
	if d := c.Debounce; d != nil {
		out.Debounce = &millrace.Debounce{Key: textOf(d.Key), Period: d.Period.must(), Max: d.Max.must()}
	}
	if r := c.RateLimit; r != nil {
		out.RateLimit = &millrace.RateLimit{Key: textOf(r.Key), Limit: r.Limit, Period: r.Period.must()}
	}
	if n := c.Concurrency; n != nil {
		out.Concurrency = &millrace.Concurrency{Key: textOf(n.Key), Limit: n.Limit, OnConflict: millrace.ConflictQueue}
		if n.OnConflict != nil {
			out.Concurrency.OnConflict = *n.OnConflict
		}
	}
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
func (c *WorkflowControls) check(path string, x *expressions) []millrace.Failure {
	out := x.check(path+".idempotency_key", textOf(c.IdempotencyKey))
	if d := c.Debounce; d != nil {
		out = append(out, x.check(path+".debounce.key", textOf(d.Key))...)
		out = append(out, d.Period.check(path+".debounce.period")...)
		out = append(out, d.Max.check(path+".debounce.max")...)
		if most := d.Max.must(); most != 0 && most < d.Period.must() {
			out = append(out, millrace.Failure{Path: path + ".debounce.max", Message: fmt.Sprintf("must not be shorter than the period, which is %s", d.Period.must())})
		}
	}
	if r := c.RateLimit; r != nil {
		out = append(out, x.check(path+".rate_limit.key", textOf(r.Key))...)
		out = append(out, r.Period.check(path+".rate_limit.period")...)
	}
	if n := c.Concurrency; n != nil {
		out = append(out, x.check(path+".concurrency.key", textOf(n.Key))...)
	}
	return append(out, c.Delay.check(path+".delay")...)
}
