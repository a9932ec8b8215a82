package account

import (
	"context"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// Update writes all of an account. Runs that wait for it to be connected again try whether it is now.
func Update(ctx context.Context, tx *store.Tx, v *millrace.IntegratedAccount) error {
	if err := tx.Accounts().Update(ctx, v); err != nil {
		return err
	}
	if err := TrackTokens(ctx, tx, v); err != nil {
		return err
	}
	return tx.Accounts().WakeRuns(ctx, v.EnvironmentID, v.ID)
}
