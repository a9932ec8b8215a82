package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/millrace/millrace"
)

func idempotentCallTable(db *DB) *table[millrace.IdempotentCall] {
	type row = millrace.IdempotentCall
	return &table[row]{
		name: "idempotent_call", what: "idempotent call", dialect: db.dialect,
		columns: []column[row]{
			text("id", func(v *row) *millrace.IdempotentCallID { return &v.ID }),
			text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			text("request_hash", func(v *row) *string { return &v.RequestHash }),
			number("status", func(v *row) *int64 { return &v.Status }),
			document("header", func(v *row) *json.RawMessage { return &v.Header }),
			sealed(db, "idempotent_call", "body", func(v *row) *json.RawMessage { return &v.Body }),
			flag("truncated", func(v *row) *bool { return &v.Truncated }),
			stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
		},
		fill:  func(tx *Tx, v *row) { newRow(tx, &v.ID, &v.CreatedAt) },
		touch: func(*Tx, *row) {},
	}
}

// ClaimIdempotentCall stores a call that is about to be made and returns nil, or returns the one that was made under
// the same key. One that is older than [millrace.KeepIdempotent] counts no more.
func (tx *Tx) ClaimIdempotentCall(ctx context.Context, v *millrace.IdempotentCall) (*millrace.IdempotentCall, error) {
	t := tx.db.tables.idempotentCall
	old := int64(tx.Now()) - millrace.KeepIdempotent.Microseconds()
	if _, err := tx.exec(ctx, "DELETE FROM idempotent_call WHERE id = $1 AND created_at < $2", string(v.ID), old); err != nil {
		return nil, fmt.Errorf("forget idempotent call: %w", err)
	}
	claimed, err := t.insertNew(ctx, tx, v)
	if err != nil || claimed {
		return nil, err
	}
	return t.get(ctx, tx, v.EnvironmentID, string(v.ID), "")
}

// FinishIdempotentCall stores the answer to a call that was claimed, unless it has one.
func (tx *Tx) FinishIdempotentCall(ctx context.Context, v *millrace.IdempotentCall) error {
	_, err := tx.db.tables.idempotentCall.update(ctx, tx, v, "status = 0")
	return err
}

// ReleaseIdempotentCall forgets a call that was claimed and has certainly done nothing.
func (tx *Tx) ReleaseIdempotentCall(ctx context.Context, id millrace.IdempotentCallID) error {
	if _, err := tx.exec(ctx, "DELETE FROM idempotent_call WHERE id = $1 AND status = 0", string(id)); err != nil {
		return fmt.Errorf("release idempotent call: %w", err)
	}
	return nil
}

// ForgetIdempotentCalls removes calls that are older than [millrace.KeepIdempotent], at most so many, and returns how
// many it removed.
func (tx *Tx) ForgetIdempotentCalls(ctx context.Context, most int) (int64, error) {
	old := int64(tx.Now()) - millrace.KeepIdempotent.Microseconds()
	n, err := tx.exec(ctx, "DELETE FROM idempotent_call WHERE id IN (SELECT id FROM idempotent_call WHERE created_at < $1 ORDER BY created_at LIMIT $2)", old, most)
	if err != nil {
		return 0, fmt.Errorf("forget idempotent calls: %w", err)
	}
	return n, nil
}
