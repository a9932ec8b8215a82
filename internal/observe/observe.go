// Package observe is the one way in which stages report what they have done, for metrics, pictures and traces.
//
// A stage reports a [Fact] once, after the commit that made it true. Facts are in memory only: they decide nothing, and losing
// one costs a figure.
package observe

import (
	"context"
	"time"
)

// Kind says what a fact is about. The set is closed.
type Kind string

// The kinds of facts.
const (
	Decision Kind = "decision" // N decisions about events and workflows; Outcome
	Page     Kind = "page"     // a page that a sync job run has got; N records
	Sent     Kind = "sent"     // N records of sync job runs that a webhook has taken
	Attempt  Kind = "attempt"  // a request to a webhook; Outcome, Class, Took
	Request  Kind = "request"  // a request to a provider; Name, Outcome: the class of the status, or network; Took
	Hook     Kind = "hook"     // a request of a provider that was worked on; Outcome
	Renewal  Kind = "renewal"  // a request for the next tokens of an account; Name, Outcome: granted, refused or unknown
	RunEnd   Kind = "run_end"  // a sync job run that has ended; Outcome: its status, or partial
)

// Fact is something that a stage has done. Its texts come from closed sets, so that they can be labels of a metric.
type Fact struct {
	Kind    Kind
	Outcome string        // the result; empty: results are not distinguished
	Class   string        // of an error; empty: none
	Name    string        // of an integration, of which there are few; empty: it is about none
	N       int64         // how many
	Took    time.Duration // 0: not measured
}

// Observer receives facts, from any number of goroutines at once. It must not block, and must not use ctx for more than what
// it carries: ctx may be of a request that has ended. A nil Observer receives nothing.
type Observer func(ctx context.Context, f Fact)

// Tell passes a fact on; a nil Observer ignores it.
func (o Observer) Tell(ctx context.Context, f Fact) {
	if o != nil {
		o(ctx, f)
	}
}
