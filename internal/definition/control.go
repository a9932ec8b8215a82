package definition

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/millrace/millrace"
)

// Period is a length of time as written: a whole number with a unit, or a number of seconds.
type Period struct{ json.RawMessage }

// value returns the period, 0 when there is none.
func (p *Period) value() (millrace.Period, error) {
	var v millrace.Period
	if p == nil || len(p.RawMessage) == 0 {
		return 0, nil
	}
	return v, json.Unmarshal(p.RawMessage, &v)
}

// must returns a period that was checked.
func (p *Period) must() millrace.Period {
	v, err := p.value()
	if err != nil {
		return 0
	}
	return v
}

// check finds what is wrong with a period that is there.
func (p *Period) check(path string) []millrace.Failure {
	if p == nil {
		return nil
	}
	v, err := p.value()
	if known, ok := errors.AsType[*millrace.Error](err); ok {
		return []millrace.Failure{{Path: path, Message: known.Message}}
	}
	if err != nil || v < 1 || v > millrace.MaxPeriod {
		return []millrace.Failure{{Path: path, Message: fmt.Sprintf("must be 1s to %s", millrace.MaxPeriod)}}
	}
	return nil
}

// Controls are the flow control of a workflow.
type Controls struct {
	IdempotencyKey *string      `json:"idempotency_key,omitempty" maxLength:"10000" doc:"JSONata; of the events of a day with the same key, only the first makes a run." example:"invoice"`
	Debounce       *Debounce    `json:"debounce,omitempty" doc:"One run for events that come close together, with the last of them."`
	RateLimit      *RateLimit   `json:"rate_limit,omitempty" doc:"How many runs begin in any period. What is too much begins later."`
	Concurrency    *Concurrency `json:"concurrency,omitempty" doc:"How many runs go at once, with the sync job runs that they have started."`
	Delay          *Period      `json:"delay,omitempty" doc:"How long the run waits after it might begin: a number with a unit, s, m, h or d, or of seconds; at most 30 days."`
}

// Debounce is debounce as written.
type Debounce struct {
	_      struct{} `additionalProperties:"false"`
	Key    *string  `json:"key,omitempty" maxLength:"10000" doc:"JSONata; events with different keys do not wait for each other. Absent, or when it yields nothing: one for the whole workflow."`
	Period *Period  `json:"period" doc:"From the last event to the run."`
	Max    *Period  `json:"max,omitempty" doc:"From the first event to the run, at most; 30 days when absent."`
}

// RateLimit is rate_limit as written.
type RateLimit struct {
	_      struct{} `additionalProperties:"false"`
	Key    *string  `json:"key,omitempty" maxLength:"10000" doc:"JSONata; runs with different keys are counted apart. Absent, or when it yields nothing: one for the whole workflow."`
	Limit  int64    `json:"limit" minimum:"1" maximum:"10000"`
	Period *Period  `json:"period"`
}

// Concurrency is concurrency as written.
type Concurrency struct {
	_          struct{}             `additionalProperties:"false"`
	Key        *string              `json:"key,omitempty" maxLength:"10000" doc:"JSONata; runs with different keys are counted apart. Absent, or when it yields nothing: one for the whole workflow."`
	Limit      int64                `json:"limit" minimum:"1" maximum:"1000"`
	OnConflict *millrace.OnConflict `json:"on_conflict,omitempty" enum:"queue,skip,cancel_running" doc:"When the limit is reached: the run waits for its turn (queue, when absent), there is none (skip), or the oldest makes way (cancel_running)."`
}

// row returns the flow control as stored.
func (c *Controls) row() millrace.WorkflowConfig {
	out := millrace.WorkflowConfig{IdempotencyKey: textOf(c.IdempotencyKey), Delay: c.Delay.must()}
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
	return out
}

// check finds what is wrong with the controls.
func (c *Controls) check(path string, x *expressions) []millrace.Failure {
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
