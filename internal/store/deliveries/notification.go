package deliveries

import (
	"context"
	"slices"

	"github.com/millrace/millrace/internal/store/sqldb"

	"github.com/millrace/millrace"
)

// Notifications are the notification destinations.
type Notifications struct{ tx *sqldb.Tx }

// NewNotifications returns the handle of the notification destinations.
func NewNotifications(tx *sqldb.Tx) Notifications { return Notifications{tx} }

// Get returns a destination of the environment, or an error of KindNotFound.
func (h Notifications) Get(ctx context.Context, env millrace.EnvironmentID, id millrace.WebhookID) (*millrace.Webhook, error) {
	return h.destination(ctx, env, id, destination)
}

// Lock is NotificationDestination, and keeps others from changing it until the transaction ends.
func (h Notifications) Lock(ctx context.Context, env millrace.EnvironmentID, id millrace.WebhookID) (*millrace.Webhook, error) {
	return h.destination(ctx, env, id, destination+h.tx.Dialect().ForUpdate())
}

func (h Notifications) destination(ctx context.Context, env millrace.EnvironmentID, id millrace.WebhookID, suffix string) (*millrace.Webhook, error) {
	v, err := webhookTable().Get(ctx, h.tx, env, string(id), suffix)
	if millrace.KindOf(err) == millrace.KindNotFound {
		err = millrace.NotFound("notification destination", string(id))
	}
	return v, err
}

// List returns one page of the environment's destinations. It returns an error of KindInvalid for a
// field, operator or cursor that it does not know.
func (h Notifications) List(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.Webhook], error) {
	q.Filters = append(slices.Clone(q.Filters), millrace.Filter{Field: "notification", Op: millrace.OpNe, Values: []string{""}})
	return webhookTable().List(ctx, h.tx, env, q)
}

// Delete removes a destination, or returns an error of KindNotFound.
func (h Notifications) Delete(ctx context.Context, env millrace.EnvironmentID, id millrace.WebhookID) error {
	if _, err := h.Get(ctx, env, id); err != nil {
		return err
	}
	return webhookTable().Remove(ctx, h.tx, env, string(id))
}
