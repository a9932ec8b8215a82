package store

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/millrace/millrace"
)

// What keeps webhooks and notification destinations, which share a table, apart.
const (
	ordinary    = " AND notification = ''"
	destination = " AND notification <> ''"
)

func webhookTable(db *DB) *table[millrace.Webhook] {
	type row = millrace.Webhook
	return &table[row]{
		name: "webhook", what: "webhook", dialect: db.dialect,
		columns: []column[row]{
			text("id", func(v *row) *millrace.WebhookID { return &v.ID }),
			text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			text("target_url", func(v *row) *string { return &v.TargetURL }),
			flag("is_active", func(v *row) *bool { return &v.IsActive }),
			document("event_types", func(v *row) *json.RawMessage { return &v.EventTypes }),
			sealedText(db, "webhook", "secret", func(v *row) *string { return &v.Secret }),
			sealedText(db, "webhook", "previous_secret", func(v *row) *string { return &v.PreviousSecret }),
			stamp("previous_secret_expires_at", func(v *row) *millrace.Time { return &v.PreviousExpiresAt }),
			text("signature_encoding", func(v *row) *string { return &v.SignatureEncoding }),
			text("ordering", func(v *row) *millrace.Ordering { return &v.Ordering }),
			number("concurrency", func(v *row) *int64 { return &v.Concurrency }),
			hidden(number("rate_limit", func(v *row) *int64 { return &v.RateLimit })),
			hidden(number("rate_period", func(v *row) *int64 { return &v.RatePeriod })),
			hidden(stamp("rate_used_until", func(v *row) *millrace.Time { return &v.RateUsedUntil })),
			hidden(number("put_aside", func(v *row) *int64 { return &v.PutAside })),
			hidden(number("next_sequence", func(v *row) *int64 { return &v.NextSequence })),
			hidden(number("sent_sequence", func(v *row) *int64 { return &v.SentSequence })),
			hidden(number("epoch", func(v *row) *int64 { return &v.Epoch })),
			hidden(number("attempt", func(v *row) *int64 { return &v.Attempt })),
			hidden(stamp("not_before", func(v *row) *millrace.Time { return &v.NotBefore })),
			stamp("failing_since", func(v *row) *millrace.Time { return &v.FailingSince }),
			text("notification", func(v *row) *millrace.NotificationType { return &v.Notification }),
			text("label", func(v *row) *string { return &v.Label }),
			sealed(db, "webhook", "config", func(v *row) *json.RawMessage { return &v.Config }),
			hidden(number("failing_told", func(v *row) *int64 { return &v.FailingTold })),
			stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			stamp("updated_at", func(v *row) *millrace.Time { return &v.UpdatedAt }),
		},
		virtual: map[string]virtual{"type": {"t.notification", kindText}},
		fill: func(tx *Tx, v *row) {
			newRow(tx, &v.ID, &v.CreatedAt, &v.UpdatedAt)
			v.Concurrency = max(v.Concurrency, 1)
			if v.Ordering == "" {
				v.Ordering = millrace.OrderingFirstAttempt
			}
		},
		touch: func(tx *Tx, v *row) { v.UpdatedAt = tx.Now() },
	}
}

// InsertWebhook adds a webhook and fills in its id and times. It returns an error of KindConflict when the id is taken.
func (tx *Tx) InsertWebhook(ctx context.Context, v *millrace.Webhook) error {
	return tx.db.tables.webhook.insert(ctx, tx, v)
}

// Webhook returns a webhook of the environment, or an error of KindNotFound. Notification destinations are none.
func (tx *Tx) Webhook(ctx context.Context, env millrace.EnvironmentID, id millrace.WebhookID) (*millrace.Webhook, error) {
	return tx.db.tables.webhook.get(ctx, tx, env, string(id), ordinary)
}

// Endpoint returns a webhook or a notification destination of the environment, or an error of KindNotFound.
func (tx *Tx) Endpoint(ctx context.Context, env millrace.EnvironmentID, id millrace.WebhookID) (*millrace.Webhook, error) {
	return tx.db.tables.webhook.get(ctx, tx, env, string(id), "")
}

// ListWebhooks returns one page of the environment's webhooks. It returns an error of KindInvalid for a field, operator or
// cursor that it does not know.
func (tx *Tx) ListWebhooks(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.Webhook], error) {
	q.Filters = append(slices.Clone(q.Filters), millrace.Filter{Field: "notification", Op: millrace.OpEq, Values: []string{""}})
	return tx.db.tables.webhook.list(ctx, tx, env, q)
}

// DeleteWebhook removes a webhook, or returns an error of KindNotFound.
func (tx *Tx) DeleteWebhook(ctx context.Context, env millrace.EnvironmentID, id millrace.WebhookID) error {
	if _, err := tx.Webhook(ctx, env, id); err != nil {
		return err
	}
	return tx.db.tables.webhook.remove(ctx, tx, env, string(id))
}
