package deliveries

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"

	"github.com/millrace/millrace"
)

// storedAttempt is the first attempt of a delivery as kept in the delivery's row. The others have rows of their own.
type storedAttempt struct {
	StatusCode int64               `json:"status_code,omitempty"`
	ErrorClass string              `json:"error_class,omitempty"`
	Header     map[string][]string `json:"header,omitempty"`
	Response   string              `json:"response,omitempty"`
	DurationMS int64               `json:"duration_ms,omitempty"`
	CreatedAt  int64               `json:"created_at"` // microseconds
}

func encodeAttempt(a *millrace.Attempt) (string, error) {
	raw, err := json.Marshal(storedAttempt{a.StatusCode, a.ErrorClass, a.Header, a.Response, a.DurationMS, int64(a.CreatedAt)})
	if err != nil {
		return "", fmt.Errorf("encode attempt: %w", err)
	}
	return string(raw), nil
}

func decodeAttempt(text string, a *millrace.Attempt) error {
	var s storedAttempt
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return fmt.Errorf("decode attempt: %w", err)
	}
	a.Number, a.StatusCode, a.ErrorClass, a.Header, a.Response, a.DurationMS = 1, s.StatusCode, s.ErrorClass, s.Header, s.Response, s.DurationMS
	a.CreatedAt = millrace.Time(s.CreatedAt)
	return nil
}

// insertAttempts adds attempts behind the first ones.
func (h Deliveries) insertAttempts(ctx context.Context, attempts []*millrace.Attempt) error {
	if len(attempts) == 0 {
		return nil
	}
	var rows []string
	var args []any
	for _, a := range attempts {
		header := ""
		if len(a.Header) > 0 {
			raw, err := json.Marshal(a.Header)
			if err != nil {
				return fmt.Errorf("encode header of attempt: %w", err)
			}
			header = string(raw)
		}
		rows = append(rows, "("+table.PlaceholdersFrom(len(args)+1, 10)+")")
		args = append(args, string(a.DeliveryID), string(a.EnvironmentID), string(a.WebhookID), a.Number, a.StatusCode,
			a.ErrorClass, header, a.Response, a.DurationMS, int64(a.CreatedAt))
	}
	_, err := h.tx.Exec(ctx, "INSERT INTO delivery_attempt ("+attemptColumns+") VALUES "+strings.Join(rows, ", "), args...)
	if err != nil {
		return fmt.Errorf("insert attempts: %w", err)
	}
	return nil
}

const attemptColumns = "delivery_id, environment_id, webhook_id, number, status_code, error_class, header, response, duration_ms, created_at"

// Attempts returns the attempts of a delivery in order.
func (h Deliveries) Attempts(ctx context.Context, env millrace.EnvironmentID, id millrace.DeliveryID) ([]millrace.Attempt, error) {
	out := []millrace.Attempt{}
	err := h.EachAttempt(ctx, env, []millrace.DeliveryID{id}, func(a millrace.Attempt) { out = append(out, a) })
	return out, err
}

// EachAttempt calls fn for the attempts of deliveries, those of each in order.
func (h Deliveries) EachAttempt(ctx context.Context, env millrace.EnvironmentID, ids []millrace.DeliveryID, fn func(millrace.Attempt)) error {
	if len(ids) == 0 {
		return nil
	}
	args := []any{string(env)}
	for _, id := range ids {
		args = append(args, string(id))
	}
	in := "IN (" + table.PlaceholdersFrom(2, len(ids)) + ")"
	query := "SELECT id, environment_id, webhook_id, first_attempt FROM delivery WHERE environment_id || '' = $1 AND first_attempt <> '' AND id " + in // || keeps SQLite off the index of all rows of the environment
	err := h.tx.Each(ctx, query, args, func(r sqldb.Rows) error {
		var a millrace.Attempt
		var first string
		err := r.Scan((*string)(&a.DeliveryID), (*string)(&a.EnvironmentID), (*string)(&a.WebhookID), &first)
		if err == nil {
			err = decodeAttempt(first, &a)
		}
		if err != nil {
			return err
		}
		fn(a)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read first attempts: %w", err)
	}
	query = "SELECT " + attemptColumns + " FROM delivery_attempt WHERE environment_id = $1 AND delivery_id " + in + " ORDER BY delivery_id, created_at, number"
	err = h.tx.Each(ctx, query, args, func(r sqldb.Rows) error {
		var a millrace.Attempt
		var header string
		err := r.Scan((*string)(&a.DeliveryID), (*string)(&a.EnvironmentID), (*string)(&a.WebhookID), &a.Number, &a.StatusCode, &a.ErrorClass,
			&header, &a.Response, &a.DurationMS, (*int64)(&a.CreatedAt))
		if err == nil && header != "" {
			err = json.Unmarshal([]byte(header), &a.Header)
		}
		if err != nil {
			return err
		}
		fn(a)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read attempts: %w", err)
	}
	return nil
}
