package store

import (
	"context"
	"slices"

	"github.com/millrace/millrace"
)

// NotificationDestination returns a destination of the environment, or an error of KindNotFound.
func (tx *Tx) NotificationDestination(ctx context.Context, env millrace.EnvironmentID, id millrace.WebhookID) (*millrace.Webhook, error) {
	return tx.destination(ctx, env, id, destination)
}

// LockNotificationDestination is NotificationDestination, and keeps others from changing it until the transaction ends.
func (tx *Tx) LockNotificationDestination(ctx context.Context, env millrace.EnvironmentID, id millrace.WebhookID) (*millrace.Webhook, error) {
	return tx.destination(ctx, env, id, destination+tx.db.dialect.forUpdate())
}

func (tx *Tx) destination(ctx context.Context, env millrace.EnvironmentID, id millrace.WebhookID, suffix string) (*millrace.Webhook, error) {
	v, err := tx.db.tables.webhook.get(ctx, tx, env, string(id), suffix)
	if millrace.KindOf(err) == millrace.KindNotFound {
		err = millrace.NotFound("notification destination", string(id))
	}
	return v, err
}

// ListNotificationDestinations returns one page of the environment's destinations. It returns an error of KindInvalid for a
// field, operator or cursor that it does not know.
func (tx *Tx) ListNotificationDestinations(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.Webhook], error) {
	q.Filters = append(slices.Clone(q.Filters), millrace.Filter{Field: "notification", Op: millrace.OpNe, Values: []string{""}})
	return tx.db.tables.webhook.list(ctx, tx, env, q)
}

// DeleteNotificationDestination removes a destination, or returns an error of KindNotFound.
func (tx *Tx) DeleteNotificationDestination(ctx context.Context, env millrace.EnvironmentID, id millrace.WebhookID) error {
	if _, err := tx.NotificationDestination(ctx, env, id); err != nil {
		return err
	}
	return tx.db.tables.webhook.remove(ctx, tx, env, string(id))
}
