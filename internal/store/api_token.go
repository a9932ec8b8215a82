package store

import (
	"context"
	"strings"

	"github.com/millrace/millrace"
)

func apiTokenTable(db *DB) *table[millrace.APIToken] {
	type row = millrace.APIToken
	return &table[row]{
		name: "api_token", what: "API token", dialect: db.dialect,
		columns: []column[row]{
			text("id", func(v *row) *millrace.APITokenID { return &v.ID }),
			text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			text("name", func(v *row) *string { return &v.Name }),
			text("scope", func(v *row) *millrace.TokenScope { return &v.Scope }),
			hidden(text("hash", func(v *row) *string { return &v.Hash })),
			text("created_by", func(v *row) *string { return &v.CreatedBy }),
			stamp("expires_at", func(v *row) *millrace.Time { return &v.ExpiresAt }),
			stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			stamp("updated_at", func(v *row) *millrace.Time { return &v.UpdatedAt }),
		},
		fill: func(tx *Tx, v *row) {
			newRow(tx, &v.ID, &v.CreatedAt, &v.UpdatedAt)
			if v.Scope == "" {
				v.Scope = millrace.ScopeEnvironment
			}
		},
		touch: func(tx *Tx, v *row) { v.UpdatedAt = tx.Now() },
	}
}

// InsertAPIToken adds an API token and fills in its id and times. It returns an error of KindConflict when the id is taken.
func (tx *Tx) InsertAPIToken(ctx context.Context, v *millrace.APIToken) error {
	return tx.db.tables.apiToken.insert(ctx, tx, v)
}

// APIToken returns an API token of the environment, or an error of KindNotFound.
func (tx *Tx) APIToken(ctx context.Context, env millrace.EnvironmentID, id millrace.APITokenID) (*millrace.APIToken, error) {
	return tx.db.tables.apiToken.get(ctx, tx, env, string(id), "")
}

// ListAPITokens returns one page of the environment's API tokens. It returns an error of KindInvalid for a field, operator or
// cursor that it does not know.
func (tx *Tx) ListAPITokens(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.APIToken], error) {
	return tx.db.tables.apiToken.list(ctx, tx, env, q)
}

// APITokens returns the API tokens of all environments and those of admins, the oldest first.
func (tx *Tx) APITokens(ctx context.Context) ([]millrace.APIToken, error) {
	return tx.db.tables.apiToken.all(ctx, tx, "1 = 1 ORDER BY created_at, id")
}

// DeleteAPIToken removes an API token, or returns an error of KindNotFound.
func (tx *Tx) DeleteAPIToken(ctx context.Context, env millrace.EnvironmentID, id millrace.APITokenID) error {
	return tx.db.tables.apiToken.remove(ctx, tx, env, string(id))
}

// DeleteAnyAPIToken removes an API token of whatever environment, or returns an error of KindNotFound.
func (tx *Tx) DeleteAnyAPIToken(ctx context.Context, id millrace.APITokenID) error {
	n, err := tx.exec(ctx, "DELETE FROM api_token WHERE id = $1", strings.ToLower(string(id)))
	return changed(n, err, "API token", string(id))
}

// APITokenByHash returns the token with this SHA-256, of whatever environment, or nil.
func (tx *Tx) APITokenByHash(ctx context.Context, hash string) (*millrace.APIToken, error) {
	return tx.db.tables.apiToken.find(ctx, tx, "hash = $1", hash)
}
