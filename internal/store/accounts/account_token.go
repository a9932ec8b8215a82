package accounts

import (
	"context"
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"
)

// Tokens are the tokens of accounts.
type Tokens struct{ tx *sqldb.Tx }

// Tokens returns the handle of the tokens of accounts.
func (h Accounts) Tokens() Tokens { return Tokens(h) }

// forgotten is how many tokens that have ended are removed with each new one.
const forgotten = 100

// Create adds a token, and removes some that have ended.
func (h Tokens) Create(ctx context.Context, v *millrace.AccountToken) error {
	_, err := h.tx.Exec(ctx, "DELETE FROM account_token WHERE hash IN (SELECT hash FROM account_token WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
		int64(h.tx.Now()), forgotten)
	if err != nil {
		return fmt.Errorf("remove tokens of accounts: %w", err)
	}
	_, err = h.tx.Exec(ctx, "INSERT INTO account_token (hash, environment_id, integrated_account_id, expires_at) VALUES ($1, $2, $3, $4)",
		v.Hash, string(v.EnvironmentID), string(v.AccountID), int64(v.ExpiresAt))
	if err != nil {
		return fmt.Errorf("insert token of an account: %w", err)
	}
	id := string(v.AccountID)
	return table.Record(ctx, h.tx, &table.AuditEntry{
		EnvironmentID: v.EnvironmentID, Resource: "integrated_account", ResourceID: id, Action: "token created", Subject: id,
	})
}

// ByHash returns the token with this SHA-256, or nil.
func (h Tokens) ByHash(ctx context.Context, hash string) (*millrace.AccountToken, error) {
	v := &millrace.AccountToken{Hash: hash}
	found, err := h.tx.One(ctx, "SELECT environment_id, integrated_account_id, expires_at FROM account_token WHERE hash = $1", []any{hash},
		(*string)(&v.EnvironmentID), (*string)(&v.AccountID), (*int64)(&v.ExpiresAt))
	if err != nil {
		return nil, fmt.Errorf("read token of an account: %w", err)
	}
	if !found {
		return nil, nil //nolint:nilnil // no such token
	}
	return v, nil
}
