package ingest

import (
	"context"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// Accepter stores events that callers send, several in one commit.
type Accepter struct {
	db    *store.DB
	group *store.Group[*millrace.Event]
}

// NewAccepter starts to accept events, with as many commits at once as committers says.
func NewAccepter(db *store.DB, committers int) *Accepter {
	a := &Accepter{db: db}
	a.group = store.NewGroup(a.store, committers)
	return a
}

// Stop commits what has been handed over and ends.
func (a *Accepter) Stop() { a.group.Stop() }

// Accept returns once the event is durable, with its id and time filled in. With an idempotency key that was used
// before, the event becomes the earlier one. A caller that gives up cannot know whether the event was stored.
func (a *Accepter) Accept(ctx context.Context, e *millrace.Event) error { return a.group.Add(ctx, e) }

// store works on copies: the transaction may run more than once.
func (a *Accepter) store(ctx context.Context, events []*millrace.Event) error {
	stored := make([]*millrace.Event, len(events))
	err := a.db.Update(ctx, func(tx *store.Tx) error {
		for i, e := range events {
			copied := *e
			stored[i] = &copied
		}
		return EmitTx(ctx, tx, stored...)
	})
	if err != nil {
		return err
	}
	for i, e := range events {
		*e = *stored[i]
	}
	return nil
}
