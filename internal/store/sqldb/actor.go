package sqldb

import (
	"context"
	"encoding/json"
)

// ActorKind says what an actor is.
type ActorKind string

// The kinds of actors.
const (
	ActorToken   ActorKind = "api_token"          // the holder of an API token
	ActorAccount ActorKind = "integrated_account" // the holder of the token of an account
	ActorUser    ActorKind = "user"               // a user of the dashboard
	ActorCommand ActorKind = "command_line"       // who runs a command on the machine of the database
)

// Actor is who changes something. The zero value is the server itself, whose work is not recorded.
type Actor struct {
	Kind ActorKind
	ID   string // of the token, the account or the user; the name of the user of the operating system
	Name string // for people: of the token, the address of the user
	Via  string // the request or the command, without values
}

type actorKey struct{}

// By returns a context in which the changes of transactions are recorded as those of an actor.
func By(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorOf returns who makes the changes of a context; the zero value: the server itself.
func ActorOf(ctx context.Context) Actor {
	a, _ := ctx.Value(actorKey{}).(Actor)
	return a
}

// Shown returns what may be shown of the sealed columns of a row, a pointer, by their names. A column without is a secret as a whole.
type Shown func(ctx context.Context, tx *Tx, row any) (map[string]json.RawMessage, error)

// SetShown plugs in what may be shown of sealed columns. It must be called before the first change by an actor.
func (db *DB) SetShown(s Shown) { db.shown = s }

// Shown returns what may be shown of the sealed columns of a row.
func (tx *Tx) Shown(ctx context.Context, row any) (map[string]json.RawMessage, error) {
	if tx.db.shown == nil {
		return map[string]json.RawMessage{}, nil
	}
	return tx.db.shown(ctx, tx, row)
}

// Finally runs fn in the transaction, at its end, unless it was called for the key before; then it returns false. What fn itself changes is part of
// the transaction, and an error of it undoes all.
func (tx *Tx) Finally(key string, fn func() error) bool {
	if tx.finally == nil {
		tx.finally = map[string]bool{}
	}
	if tx.finally[key] {
		return false
	}
	tx.finally[key] = true
	tx.atEnd = append(tx.atEnd, fn)
	return true
}

// Awaits reports whether Finally was called for a key.
func (tx *Tx) Awaits(key string) bool { return tx.finally[key] }

// end runs what was left for the end.
func (tx *Tx) end() error {
	for _, fn := range tx.atEnd {
		if err := fn(); err != nil {
			return err
		}
	}
	return nil
}
