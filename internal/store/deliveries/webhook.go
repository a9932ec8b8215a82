package deliveries

import (
	"context"
	"encoding/json"
	"slices"
	"sync"

	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"

	"github.com/millrace/millrace"
)

// Webhooks are the webhooks.
type Webhooks struct{ tx *sqldb.Tx }

// NewWebhooks returns the handle of the webhooks.
func NewWebhooks(tx *sqldb.Tx) Webhooks { return Webhooks{tx} }

// What keeps webhooks and notification destinations, which share a table, apart.
const (
	ordinary    = " AND notification = ''"
	destination = " AND notification <> ''"
)

var webhookTable = sync.OnceValue(func() *table.Table[millrace.Webhook] { //nolint:gochecknoglobals // a constant that cannot be written as one
	type row = millrace.Webhook
	return &table.Table[row]{
		Name: "webhook", What: "webhook",
		Audit: &table.Audit[row]{
			Resource: func(v *row) string {
				if v.Notification != "" {
					return "notification_destination"
				}
				return "webhook"
			},
			Without: []string{"failing_since"}, With: []string{"rate_limit", "rate_period"},
		},
		Columns: []table.Column[row]{
			table.Text("id", func(v *row) *millrace.WebhookID { return &v.ID }),
			table.Text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			table.Text("target_url", func(v *row) *string { return &v.TargetURL }),
			table.Flag("is_active", func(v *row) *bool { return &v.IsActive }),
			table.Document("event_types", func(v *row) *json.RawMessage { return &v.EventTypes }),
			table.SealedText("webhook", "secret", func(v *row) *string { return &v.Secret }),
			table.SealedText("webhook", "previous_secret", func(v *row) *string { return &v.PreviousSecret }),
			table.Stamp("previous_secret_expires_at", func(v *row) *millrace.Time { return &v.PreviousExpiresAt }),
			table.Text("signature_encoding", func(v *row) *string { return &v.SignatureEncoding }),
			table.Text("ordering", func(v *row) *millrace.Ordering { return &v.Ordering }),
			table.Number("concurrency", func(v *row) *int64 { return &v.Concurrency }),
			table.Hidden(table.Number("rate_limit", func(v *row) *int64 { return &v.RateLimit })),
			table.Hidden(table.Number("rate_period", func(v *row) *int64 { return &v.RatePeriod })),
			table.Hidden(table.Stamp("rate_used_until", func(v *row) *millrace.Time { return &v.RateUsedUntil })),
			table.Hidden(table.Number("put_aside", func(v *row) *int64 { return &v.DeferredInRow })),
			table.Hidden(table.Number("next_sequence", func(v *row) *int64 { return &v.NextSequence })),
			table.Hidden(table.Number("sent_sequence", func(v *row) *int64 { return &v.SentSequence })),
			table.Hidden(table.Number("epoch", func(v *row) *int64 { return &v.Epoch })),
			table.Hidden(table.Number("attempt", func(v *row) *int64 { return &v.Attempt })),
			table.Hidden(table.Stamp("not_before", func(v *row) *millrace.Time { return &v.NotBefore })),
			table.Stamp("failing_since", func(v *row) *millrace.Time { return &v.FailingSince }),
			table.Text("notification", func(v *row) *millrace.NotificationType { return &v.Notification }),
			table.Text("label", func(v *row) *string { return &v.Label }),
			table.Sealed("webhook", "config", func(v *row) *json.RawMessage { return &v.Config }),
			table.Hidden(table.Number("failing_told", func(v *row) *int64 { return &v.NotifiedPercent })),
			table.Stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			table.Stamp("updated_at", func(v *row) *millrace.Time { return &v.UpdatedAt }),
		},
		Virtual: map[string]table.Virtual{"type": table.Computed("t.notification", table.KindText)},
		Fill: func(tx *sqldb.Tx, v *row) {
			table.NewRow(tx, &v.ID, &v.CreatedAt, &v.UpdatedAt)
			v.Concurrency = max(v.Concurrency, 1)
			if v.Ordering == "" {
				v.Ordering = millrace.OrderingFirstAttempt
			}
		},
		Touch: func(tx *sqldb.Tx, v *row) { v.UpdatedAt = tx.Now() },
	}
})

// Create adds a webhook and fills in its id and times. It returns an error of KindConflict when the id is taken.
func (h Webhooks) Create(ctx context.Context, v *millrace.Webhook) error {
	return webhookTable().Insert(ctx, h.tx, v)
}

// Get returns a webhook of the environment, or an error of KindNotFound. Notification destinations are none.
func (h Webhooks) Get(ctx context.Context, env millrace.EnvironmentID, id millrace.WebhookID) (*millrace.Webhook, error) {
	return webhookTable().Get(ctx, h.tx, env, string(id), ordinary)
}

// Endpoint returns a webhook or a notification destination of the environment, or an error of KindNotFound.
func (h Webhooks) Endpoint(ctx context.Context, env millrace.EnvironmentID, id millrace.WebhookID) (*millrace.Webhook, error) {
	return webhookTable().Get(ctx, h.tx, env, string(id), "")
}

// List returns one page of the environment's webhooks. It returns an error of KindInvalid for a field, operator or
// cursor that it does not know.
func (h Webhooks) List(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.Webhook], error) {
	q.Filters = append(slices.Clone(q.Filters), millrace.Filter{Field: "notification", Op: millrace.OpEq, Values: []string{""}})
	return webhookTable().List(ctx, h.tx, env, q)
}

// Delete removes a webhook, or returns an error of KindNotFound.
func (h Webhooks) Delete(ctx context.Context, env millrace.EnvironmentID, id millrace.WebhookID) error {
	if _, err := h.Get(ctx, env, id); err != nil {
		return err
	}
	return webhookTable().Remove(ctx, h.tx, env, string(id))
}
