package accounts

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"

	"github.com/millrace/millrace"
)

// Calls are the calls to providers: those under an idempotency key, and the log of all.
type Calls struct{ tx *sqldb.Tx }

// NewCalls returns the handle of the calls to providers.
func NewCalls(tx *sqldb.Tx) Calls { return Calls{tx} }

var idempotentCallTable = sync.OnceValue(func() *table.Table[millrace.IdempotentCall] { //nolint:gochecknoglobals // a constant that cannot be written as one
	type row = millrace.IdempotentCall
	return &table.Table[row]{
		Name: "idempotent_call", What: "idempotent call",
		Columns: []table.Column[row]{
			table.Text("id", func(v *row) *millrace.IdempotentCallID { return &v.ID }),
			table.Text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			table.Text("request_hash", func(v *row) *string { return &v.RequestHash }),
			table.Number("status", func(v *row) *int64 { return &v.Status }),
			table.Document("header", func(v *row) *json.RawMessage { return &v.Header }),
			table.Sealed("idempotent_call", "body", func(v *row) *json.RawMessage { return &v.Body }),
			table.Flag("truncated", func(v *row) *bool { return &v.Truncated }),
			table.Stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
		},
		Fill:  func(tx *sqldb.Tx, v *row) { table.NewRow(tx, &v.ID, &v.CreatedAt) },
		Touch: func(*sqldb.Tx, *row) {},
	}
})

// Claim stores a call that is about to be made and returns nil, or returns the one that was made under
// the same key. One that is older than [millrace.KeepIdempotent] counts no more.
func (h Calls) Claim(ctx context.Context, v *millrace.IdempotentCall) (*millrace.IdempotentCall, error) {
	t := idempotentCallTable()
	old := int64(h.tx.Now()) - millrace.KeepIdempotent.Microseconds()
	if _, err := h.tx.Exec(ctx, "DELETE FROM idempotent_call WHERE id = $1 AND created_at < $2", string(v.ID), old); err != nil {
		return nil, fmt.Errorf("forget idempotent call: %w", err)
	}
	claimed, err := t.InsertNew(ctx, h.tx, v)
	if err != nil || claimed {
		return nil, err
	}
	return t.Get(ctx, h.tx, v.EnvironmentID, string(v.ID), "")
}

// Finish stores the response to a call that was claimed, unless it has one.
func (h Calls) Finish(ctx context.Context, v *millrace.IdempotentCall) error {
	_, err := idempotentCallTable().Update(ctx, h.tx, v, "status = 0")
	return err
}

// Release forgets a call that was claimed and has certainly done nothing.
func (h Calls) Release(ctx context.Context, id millrace.IdempotentCallID) error {
	if _, err := h.tx.Exec(ctx, "DELETE FROM idempotent_call WHERE id = $1 AND status = 0", string(id)); err != nil {
		return fmt.Errorf("release idempotent call: %w", err)
	}
	return nil
}

// Prune removes calls that are older than [millrace.KeepIdempotent], at most so many, and returns how
// many it removed.
func (h Calls) Prune(ctx context.Context, most int) (int64, error) {
	old := int64(h.tx.Now()) - millrace.KeepIdempotent.Microseconds()
	n, err := h.tx.Exec(ctx, "DELETE FROM idempotent_call WHERE id IN (SELECT id FROM idempotent_call WHERE created_at < $1 ORDER BY created_at LIMIT $2)", old, most)
	if err != nil {
		return 0, fmt.Errorf("forget idempotent calls: %w", err)
	}
	return n, nil
}
