package deliveries

import (
	"context"
	"fmt"

	"github.com/millrace/millrace"
)

// LockAll returns the active webhooks of an environment and keeps others from changing them until the transaction ends.
// They are locked in the order of their ids, as by everybody who locks more than one.
func (h Webhooks) LockAll(ctx context.Context, env millrace.EnvironmentID) ([]millrace.Webhook, error) {
	return webhookTable().All(ctx, h.tx, "environment_id = $1 AND is_active = TRUE ORDER BY id"+h.tx.Dialect().ForUpdate(), string(env))
}

// SaveFailure writes since when a webhook fails, unless it does so already, which notification was sent, and
// whether it is still active. It is for those who send to a webhook beside its pump.
func (h Webhooks) SaveFailure(ctx context.Context, v *millrace.Webhook) error {
	_, err := h.tx.Exec(ctx, `UPDATE webhook SET failing_since = CASE WHEN failing_since = 0 THEN $3 ELSE failing_since END,
failing_told = CASE WHEN failing_told < $4 THEN $4 ELSE failing_told END, is_active = is_active AND $5
WHERE id = $1 AND environment_id = $2 AND is_active = TRUE`, string(v.ID), string(v.EnvironmentID), int64(v.FailingSince), v.NotifiedPercent, v.IsActive)
	if err != nil {
		return fmt.Errorf("save webhook failure: %w", err)
	}
	return nil
}

// ClearFailure notes that a webhook has responded again. Of one that was set inactive it stays known since when it failed.
func (h Webhooks) ClearFailure(ctx context.Context, env millrace.EnvironmentID, id millrace.WebhookID) error {
	_, err := h.tx.Exec(ctx, `UPDATE webhook SET failing_since = 0, failing_told = 0
WHERE id = $1 AND environment_id = $2 AND is_active = TRUE AND failing_since > 0`, string(id), string(env))
	if err != nil {
		return fmt.Errorf("clear webhook failure: %w", err)
	}
	return nil
}
