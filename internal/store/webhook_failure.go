package store

import (
	"context"
	"fmt"

	"github.com/millrace/millrace"
)

// LockWebhooks returns the active webhooks of an environment and keeps others from changing them until the transaction ends.
// They are locked in the order of their ids, as by everybody who locks more than one.
func (tx *Tx) LockWebhooks(ctx context.Context, env millrace.EnvironmentID) ([]millrace.Webhook, error) {
	return tx.db.tables.webhook.all(ctx, tx, "environment_id = $1 AND is_active = TRUE ORDER BY id"+tx.db.dialect.forUpdate(), string(env))
}

// SaveWebhookFailure writes since when a webhook fails, unless it does so already, what others were told of it, and
// whether it is still active. It is for those who send to a webhook beside its pump.
func (tx *Tx) SaveWebhookFailure(ctx context.Context, v *millrace.Webhook) error {
	_, err := tx.exec(ctx, `UPDATE webhook SET failing_since = CASE WHEN failing_since = 0 THEN $3 ELSE failing_since END,
failing_told = CASE WHEN failing_told < $4 THEN $4 ELSE failing_told END, is_active = is_active AND $5
WHERE id = $1 AND environment_id = $2 AND is_active = TRUE`, string(v.ID), string(v.EnvironmentID), int64(v.FailingSince), v.FailingTold, v.IsActive)
	if err != nil {
		return fmt.Errorf("save webhook failure: %w", err)
	}
	return nil
}

// ClearWebhookFailure notes that a webhook has answered again. Of one that was set inactive it stays known since when it failed.
func (tx *Tx) ClearWebhookFailure(ctx context.Context, env millrace.EnvironmentID, id millrace.WebhookID) error {
	_, err := tx.exec(ctx, `UPDATE webhook SET failing_since = 0, failing_told = 0
WHERE id = $1 AND environment_id = $2 AND is_active = TRUE AND failing_since > 0`, string(id), string(env))
	if err != nil {
		return fmt.Errorf("clear webhook failure: %w", err)
	}
	return nil
}
