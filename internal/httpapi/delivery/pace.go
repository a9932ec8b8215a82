package delivery

import (
	"github.com/millrace/millrace"

	"github.com/millrace/millrace/internal/httpapi/rest"
)

// webhookRateLimit bounds how many attempts are made in some time.
type webhookRateLimit struct {
	Limit  int64 `json:"limit" minimum:"1" maximum:"100000" doc:"Attempts, of which all may be made at once."`
	Period int64 `json:"period_seconds" minimum:"1" maximum:"86400" doc:"The time in which so many come back."`
}

// Pace is how a webhook's backlog is sent: members of the bodies that create and change a webhook.
type Pace struct {
	Ordering    rest.Opt[millrace.Ordering] `json:"ordering,omitzero" enum:"first_attempt,strict" nullable:"false" doc:"What a failed delivery means for those behind it: with first_attempt, which is the default, it is tried again on its own schedule; with strict it holds them until it gets through."`
	Concurrency rest.Opt[int64]             `json:"concurrency,omitzero" minimum:"1" maximum:"10" nullable:"false" doc:"How many deliveries are sent at a time; 1 when absent, and with strict ordering."`
	RateLimit   rest.Opt[webhookRateLimit]  `json:"rate_limit,omitzero" doc:"How many attempts are made in some time; null is any number. Records of sync job runs are not counted: the next ones are sent only when the webhook has responded."`
}

// apply writes what was sent into a webhook and returns it.
func (p *Pace) apply(v *millrace.Webhook) *millrace.Webhook {
	v.Ordering, v.Concurrency = p.Ordering.Or(v.Ordering), p.Concurrency.Or(v.Concurrency)
	if p.RateLimit.Sent {
		v.RateLimit, v.RatePeriod = p.RateLimit.Value.Limit, p.RateLimit.Value.Period
	}
	return v
}

func checkPace(v *millrace.Webhook) error {
	if v.Ordering == millrace.OrderingStrict && v.Concurrency > 1 {
		return millrace.Invalid("concurrency", "must be 1 with strict ordering")
	}
	return nil
}
