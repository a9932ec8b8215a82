package event

import (
	"context"
	"errors"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/trace"
)

// maxLooks bounds how often it is looked whether a commit without a response has happened.
const maxLooks = 4

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
func (a *Accepter) Accept(ctx context.Context, e *millrace.Event) error {
	e.Traceparent = trace.From(ctx) // the commit is shared with others
	return a.group.Add(ctx, e)
}

// store works on copies: the transaction may run more than once.
func (a *Accepter) store(ctx context.Context, events []*millrace.Event) error {
	named := make([]millrace.Event, len(events))
	for i, e := range events {
		named[i] = *e
		if e.ID == "" {
			named[i].ID = millrace.NewID[millrace.EventID]() // the same when it has to be stored once more
		}
	}
	stored, err := store.Compute(ctx, a.db, func(tx *store.Tx) ([]*millrace.Event, error) { return emitCopies(ctx, tx, named) })
	for try := 0; errors.Is(err, store.ErrUnknownOutcome) && try < maxLooks; try++ {
		stored, err = a.look(ctx, named, err)
	}
	if err != nil {
		return err
	}
	for i, e := range events {
		*e = *stored[i]
	}
	return nil
}

// emitCopies stores events and returns them as stored.
func emitCopies(ctx context.Context, tx *store.Tx, events []millrace.Event) ([]*millrace.Event, error) {
	stored := make([]*millrace.Event, len(events))
	for i := range events {
		copied := events[i]
		stored[i] = &copied
	}
	return stored, Emit(ctx, tx, stored...)
}

// look stores events whose commit may have happened, unless it has. All of them were in it or none. The database may still be at
// that commit; then the ids are taken, which is as good as not knowing yet.
func (a *Accepter) look(ctx context.Context, events []millrace.Event, unknown error) ([]*millrace.Event, error) {
	stored, err := store.Compute(ctx, a.db, func(tx *store.Tx) ([]*millrace.Event, error) {
		stored := make([]*millrace.Event, len(events))
		var missing []millrace.Event // all of them, or those whose idempotency key has made them an earlier event
		for i := range events {
			found, err := tx.Events().ByIDs(ctx, events[i].EnvironmentID, []millrace.EventID{events[i].ID})
			if err != nil {
				return nil, err
			}
			if stored[i] = found[events[i].ID]; stored[i] == nil {
				missing = append(missing, events[i])
			}
		}
		rest, err := emitCopies(ctx, tx, missing)
		for i := range stored {
			if stored[i] == nil {
				stored[i], rest = rest[0], rest[1:]
			}
		}
		return stored, err
	})
	if err != nil && millrace.KindOf(err) == millrace.KindConflict {
		return nil, unknown
	}
	if err != nil {
		return nil, errors.Join(unknown, err) // still unknown
	}
	return stored, nil
}
