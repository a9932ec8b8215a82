package server

import (
	"context"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/queue"
	"github.com/millrace/millrace/internal/store"
)

// onBehalf lets what a handler stores take turns with what the handlers of other environments store.
func onBehalf(handle queue.Handler) queue.Handler {
	return func(ctx context.Context, task millrace.Task) error {
		return handle(store.OnBehalfOf(ctx, task.Environment), task)
	}
}
