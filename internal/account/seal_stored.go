package account

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/millrace/millrace/internal/store"
)

// SealAll sets secrets apart in accounts that an older version has stored, before anything is served. Each transaction
// stores how far it has come, so a crash only interrupts it.
func SealAll(ctx context.Context, db *store.DB, logger *slog.Logger) error {
	const atOnce = 200
	total := 0
	for n := atOnce; n == atOnce; {
		sealed, err := store.Compute(ctx, db, func(tx *store.Tx) (int, error) { return SealStored(ctx, tx, atOnce) })
		if err != nil {
			return fmt.Errorf("seal the secrets of accounts: %w", err)
		}
		n, total = sealed, total+sealed
	}
	if total > 0 {
		logger.InfoContext(ctx, "sealed the secrets of accounts", slog.Int("accounts", total))
	}
	return nil
}
