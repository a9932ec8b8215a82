package node

import (
	"context"
	"os/user"

	"github.com/millrace/millrace/internal/store"
)

type commandKey struct{}

// WithCommand returns a context that knows the names of the command that is run, for the record of changes.
func WithCommand(ctx context.Context, names string) context.Context {
	return context.WithValue(ctx, commandKey{}, names)
}

// ByOperator returns a context in which changes are those of the user of the operating system who runs the command.
func ByOperator(ctx context.Context) context.Context {
	a := store.Actor{Kind: store.ActorCommand, ID: "unknown", Via: "millrace"}
	if names, ok := ctx.Value(commandKey{}).(string); ok {
		a.Via += " " + names
	}
	if u, err := user.Current(); err == nil {
		a.ID = u.Username
	}
	a.Name = a.ID
	return store.By(ctx, a)
}
