package editor

import (
	"context"
	"encoding/json"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/trigger"
)

const (
	triedEvents  = 20
	maxCondition = 16 << 10
)

// Past are the last events of a name, with what a condition sees of the accounts that they are about.
type Past struct {
	Events   []millrace.Event
	contexts map[millrace.IntegratedAccountID]json.RawMessage
}

// ReadPast reads the last events of a name, among the last 20,000 of the environment, behind those that are given.
func ReadPast(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID, name string, first ...millrace.Event) (*Past, error) {
	p := &Past{Events: first, contexts: map[millrace.IntegratedAccountID]json.RawMessage{}}
	if name != "" {
		ids, err := store.ViewsOf(tx).LastOfName(ctx, env, name, triedEvents)
		if err != nil {
			return nil, err
		}
		for _, id := range ids { // one by one: each may be large
			e, err := tx.Events().Get(ctx, env, id)
			if millrace.KindOf(err) == millrace.KindNotFound && err != nil {
				continue
			}
			if err != nil {
				return nil, err
			}
			p.Events = append(p.Events, *e)
		}
	}
	for i := range p.Events {
		if err := p.readContext(ctx, tx, env, p.Events[i].Account()); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *Past) readContext(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID, id millrace.IntegratedAccountID) error {
	if _, known := p.contexts[id]; known || id == "" {
		return nil
	}
	account, err := tx.Accounts().Get(ctx, env, id)
	if err == nil {
		p.contexts[id] = account.Context
	} else if millrace.KindOf(err) == millrace.KindNotFound {
		err = nil
	}
	return err
}

// Explain says what a condition comes to for one of the events.
func (p *Past) Explain(ctx context.Context, condition string, e *millrace.Event) (*trigger.Explanation, error) {
	return trigger.Explain(ctx, condition, e, p.contexts[e.Account()])
}

// Tried is what a condition comes to for past events.
type Tried struct {
	Name    string // of the events
	Last    []TriedEvent
	Matched int
}

// TriedEvent is what it comes to for one.
type TriedEvent struct {
	Event   millrace.Event
	Outcome millrace.Outcome
	Failure *millrace.Failure
}

// Try evaluates a condition for all of the events but the first ones, outside of a transaction.
func (p *Past) Try(ctx context.Context, condition string, but int) (*Tried, error) {
	if len(condition) > maxCondition {
		return nil, millrace.Invalid("condition", "must have at most %d bytes to be tried", maxCondition)
	}
	out := &Tried{}
	for i := but; i < len(p.Events); i++ {
		now, err := p.Explain(ctx, condition, &p.Events[i])
		if err != nil {
			return nil, err
		}
		if now.Outcome == millrace.OutcomeMatched {
			out.Matched++
		}
		out.Last = append(out.Last, TriedEvent{p.Events[i], now.Outcome, now.Failure})
	}
	return out, nil
}
