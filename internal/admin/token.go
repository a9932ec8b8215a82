package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/node"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/token"
)

// NewToken says which token to make.
type NewToken struct {
	Environment string // its name or id; empty: the first one. An admin token has none
	Name        string
	Scope       millrace.TokenScope // empty: write
	Expires     time.Duration       // from now; 0: never
}

// CreateToken adds an API token, also while a server runs on the same database.
func CreateToken(ctx context.Context, o node.Options, want NewToken) (string, error) {
	text, err := compute(ctx, o, func(ctx context.Context, tx *store.Tx) (string, error) {
		row := &millrace.APIToken{Name: want.Name, CreatedBy: "cli", Scope: want.Scope}
		if want.Expires > 0 {
			row.ExpiresAt = tx.Now().Add(want.Expires)
		}
		if want.Scope == millrace.ScopeAdmin {
			return token.Create(ctx, tx, row)
		}
		which := want.Environment
		if which == "" {
			which = string(millrace.FirstEnvironmentID())
		}
		env, err := tx.Environments().Named(ctx, which)
		if millrace.KindOf(err) == millrace.KindNotFound && want.Environment == "" {
			return "", millrace.Errorf(millrace.KindNotFound, "the environment that the first start made is deleted: name one of millrace environment list with --environment")
		}
		if err != nil {
			return "", err
		}
		row.EnvironmentID = env.ID
		return token.Create(ctx, tx, row)
	})
	if err != nil {
		return "", fmt.Errorf("create token: %w", err)
	}
	return text, nil
}

// Tokens returns all API tokens, the oldest first. They do not hold the tokens themselves, which are not stored.
func Tokens(ctx context.Context, o node.Options) ([]millrace.APIToken, error) {
	all, err := compute(ctx, o, func(ctx context.Context, tx *store.Tx) ([]millrace.APIToken, error) { return tx.APITokens().All(ctx) })
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	return all, nil
}

// DeleteToken removes an API token. A server that runs notices within seconds.
func DeleteToken(ctx context.Context, o node.Options, id millrace.APITokenID) error {
	if err := withStore(ctx, o, func(ctx context.Context, tx *store.Tx) error { return token.Delete(ctx, tx, id) }); err != nil {
		return fmt.Errorf("delete token: %w", err)
	}
	return nil
}
