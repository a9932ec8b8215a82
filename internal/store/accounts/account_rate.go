package accounts

import (
	"context"
	"fmt"

	"github.com/millrace/millrace"
)

// Rate returns what is known of an account's rate limit; the zero value when nothing is.
func (h Accounts) Rate(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID) (millrace.AccountRate, error) {
	v := millrace.AccountRate{IntegratedAccountID: id, EnvironmentID: env}
	_, err := h.tx.One(ctx, "SELECT blocked_since, blocked_until FROM account_rate WHERE integrated_account_id = $1 AND environment_id = $2",
		[]any{string(id), string(env)}, (*int64)(&v.BlockedSince), (*int64)(&v.BlockedUntil))
	if err != nil {
		return v, fmt.Errorf("read account rate: %w", err)
	}
	return v, nil
}

// Block makes it known that an account may not ask before a time. A block that lasts longer is kept.
func (h Accounts) Block(ctx context.Context, v millrace.AccountRate) error {
	_, err := h.tx.Exec(ctx, `INSERT INTO account_rate (integrated_account_id, environment_id, blocked_since, blocked_until)
VALUES ($1, $2, $3, $4) ON CONFLICT (integrated_account_id, environment_id) DO UPDATE SET blocked_since = excluded.blocked_since, blocked_until = excluded.blocked_until
WHERE account_rate.blocked_until < excluded.blocked_until`,
		string(v.IntegratedAccountID), string(v.EnvironmentID), int64(v.BlockedSince), int64(v.BlockedUntil))
	if err != nil {
		return fmt.Errorf("block account: %w", err)
	}
	return nil
}
