package workflows

import (
	"context"
	"fmt"
	"strings"

	"github.com/millrace/millrace/internal/store/sqldb"

	"github.com/millrace/millrace"
)

// Batch is events of one environment that one commit stored together and that still have to be matched.
type Batch struct {
	ID            millrace.BatchID
	EnvironmentID millrace.EnvironmentID
	Progress      string // how far matching has come, as MoveBatch wrote it
	Events        []millrace.Event
}

// CreateBatch records the events of an environment that one commit stores together and that still have to be matched.
func (h Events) CreateBatch(ctx context.Context, env millrace.EnvironmentID, id millrace.BatchID) error {
	_, err := h.tx.Exec(ctx, "INSERT INTO event_batch (id, environment_id, created_at) VALUES ($1, $2, $3)", string(id), string(env), int64(h.tx.Now()))
	return err
}

// OpenBatch returns a batch with its events in the order they were stored, or nil when all of it was matched.
func (h Events) OpenBatch(ctx context.Context, id millrace.BatchID) (*Batch, error) {
	b := &Batch{ID: id}
	t := eventTable()
	query := "SELECT b.environment_id, b.progress, t." + strings.Join(t.ColumnNames(), ", t.") +
		" FROM event_batch AS b JOIN event AS t ON t.batch_id = b.id WHERE b.id = $1 ORDER BY t.created_at, t.id"
	err := h.tx.Each(ctx, query, []any{string(id)}, func(r sqldb.Rows) error {
		var e millrace.Event
		err := r.Scan(append([]any{(*string)(&b.EnvironmentID), &b.Progress}, t.Dests(h.tx, &e)...)...)
		b.Events = append(b.Events, e)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read batch: %w", err)
	}
	if len(b.Events) == 0 {
		return nil, nil //nolint:nilnil // nothing is left to be matched
	}
	return b, nil
}

// MoveBatch records how far matching has come. It reports false when the progress is no longer what it was: another worker
// goes on with the batch, or has ended it.
func (h Events) MoveBatch(ctx context.Context, id millrace.BatchID, from, to string) (bool, error) {
	n, err := h.tx.Exec(ctx, "UPDATE event_batch SET progress = $3 WHERE id = $1 AND progress = $2", string(id), from, to)
	if err != nil {
		return false, fmt.Errorf("move batch: %w", err)
	}
	return n > 0, nil
}

// FinishBatch records that every event of a batch has its decisions.
func (h Events) FinishBatch(ctx context.Context, id millrace.BatchID) error {
	if _, err := h.tx.Exec(ctx, "DELETE FROM event_batch WHERE id = $1", string(id)); err != nil {
		return fmt.Errorf("end batch: %w", err)
	}
	return nil
}
