package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/millrace/millrace"
)

// InsertAttempt records one HTTP request of a delivery.
func (tx *Tx) InsertAttempt(ctx context.Context, a *millrace.Attempt) error {
	if a.CreatedAt == 0 {
		a.CreatedAt = tx.Now()
	}
	header := ""
	if len(a.Header) > 0 {
		raw, err := json.Marshal(a.Header)
		if err != nil {
			return fmt.Errorf("encode header of attempt: %w", err)
		}
		header = string(raw)
	}
	_, err := tx.exec(ctx, `INSERT INTO delivery_attempt (delivery_id, environment_id, webhook_id, number, status_code, error_class, header, response, duration_ms, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, string(a.DeliveryID), string(a.EnvironmentID), string(a.WebhookID), a.Number, a.StatusCode,
		a.ErrorClass, header, a.Response, a.DurationMS, int64(a.CreatedAt))
	if err != nil {
		return fmt.Errorf("insert attempt: %w", err)
	}
	return nil
}

// AttemptsOf returns the attempts of a delivery in order.
func (tx *Tx) AttemptsOf(ctx context.Context, env millrace.EnvironmentID, id millrace.DeliveryID) ([]millrace.Attempt, error) {
	out := []millrace.Attempt{}
	err := tx.each(ctx, `SELECT delivery_id, environment_id, webhook_id, number, status_code, error_class, header, response, duration_ms, created_at
FROM delivery_attempt WHERE delivery_id = $1 AND environment_id = $2 ORDER BY created_at, number`, []any{string(id), string(env)}, func(r rows) error {
		var a millrace.Attempt
		var header string
		err := r.Scan((*string)(&a.DeliveryID), (*string)(&a.EnvironmentID), (*string)(&a.WebhookID), &a.Number, &a.StatusCode, &a.ErrorClass,
			&header, &a.Response, &a.DurationMS, (*int64)(&a.CreatedAt))
		if err == nil && header != "" {
			err = json.Unmarshal([]byte(header), &a.Header)
		}
		out = append(out, a)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read attempts: %w", err)
	}
	return out, nil
}
