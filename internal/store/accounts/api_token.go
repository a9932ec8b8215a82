package accounts

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"

	"github.com/millrace/millrace"
)

// APITokens are the API tokens.
type APITokens struct{ tx *sqldb.Tx }

// NewAPITokens returns the handle of the API tokens.
func NewAPITokens(tx *sqldb.Tx) APITokens { return APITokens{tx} }

var apiTokenTable = sync.OnceValue(func() *table.Table[millrace.APIToken] { //nolint:gochecknoglobals // a constant that cannot be written as one
	type row = millrace.APIToken
	return &table.Table[row]{
		Name: "api_token", What: "API token", Across: true, Audit: &table.Audit[row]{Without: []string{"created_by"}},
		Columns: []table.Column[row]{
			table.Text("id", func(v *row) *millrace.APITokenID { return &v.ID }),
			table.Text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			table.Text("name", func(v *row) *string { return &v.Name }),
			table.Text("scope", func(v *row) *millrace.TokenScope { return &v.Scope }),
			table.Hidden(table.Text("hash", func(v *row) *string { return &v.Hash })),
			table.Text("created_by", func(v *row) *string { return &v.CreatedBy }),
			table.Stamp("expires_at", func(v *row) *millrace.Time { return &v.ExpiresAt }),
			table.Stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			table.Stamp("updated_at", func(v *row) *millrace.Time { return &v.UpdatedAt }),
		},
		Fill: func(tx *sqldb.Tx, v *row) {
			table.NewRow(tx, &v.ID, &v.CreatedAt, &v.UpdatedAt)
			if v.Scope == "" {
				v.Scope = millrace.ScopeWrite
			}
		},
		Touch: func(tx *sqldb.Tx, v *row) { v.UpdatedAt = tx.Now() },
	}
})

// Create adds an API token and fills in its id and times. It returns an error of KindConflict when the id is taken.
func (h APITokens) Create(ctx context.Context, v *millrace.APIToken) error {
	return apiTokenTable().Insert(ctx, h.tx, v)
}

// Get returns an API token of the environment, with an empty env of any, or an error of KindNotFound.
func (h APITokens) Get(ctx context.Context, env millrace.EnvironmentID, id millrace.APITokenID) (*millrace.APIToken, error) {
	return apiTokenTable().Get(ctx, h.tx, env, string(id), "")
}

// List returns one page of the environment's API tokens, with an empty env of all. It returns an error of KindInvalid for a field, operator or
// cursor that it does not know.
func (h APITokens) List(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.APIToken], error) {
	return apiTokenTable().List(ctx, h.tx, env, q)
}

// All returns the API tokens of all environments and those of admins, the oldest first.
func (h APITokens) All(ctx context.Context) ([]millrace.APIToken, error) {
	return apiTokenTable().All(ctx, h.tx, "1 = 1 ORDER BY created_at, id")
}

// Delete removes an API token. Its hash is kept for a while, so that its holder learns that it was deleted.
func (h APITokens) Delete(ctx context.Context, id millrace.APITokenID) error {
	v, err := h.Get(ctx, "", id)
	if err != nil {
		return err
	}
	if err := apiTokenTable().Watch(ctx, h.tx, v.EnvironmentID, string(v.ID)); err != nil {
		return err
	}
	if err := h.bury(ctx, "id = $2", string(v.ID)); err != nil {
		return err
	}
	n, err := h.tx.Exec(ctx, "DELETE FROM api_token WHERE id = $1", string(v.ID))
	return table.Changed(n, err, "API token", string(id))
}

// deleteOf removes the API tokens of an environment.
func (h APITokens) deleteOf(ctx context.Context, env millrace.EnvironmentID) error {
	if err := h.bury(ctx, "environment_id = $2", string(env)); err != nil {
		return err
	}
	if _, err := h.tx.Exec(ctx, "DELETE FROM api_token WHERE environment_id = $1", string(env)); err != nil {
		return fmt.Errorf("delete tokens: %w", err)
	}
	return nil
}

// buriedFor is how long a deleted token is distinguished from an unknown one.
const buriedFor = 90 * 24 * time.Hour

// bury keeps the hashes of the tokens that meet a condition about $2, and forgets old ones.
func (h APITokens) bury(ctx context.Context, condition, arg string) error {
	now := h.tx.Now()
	if _, err := h.tx.Exec(ctx, "DELETE FROM deleted_token WHERE deleted_at < $1", int64(now.Add(-buriedFor))); err != nil {
		return fmt.Errorf("forget deleted tokens: %w", err)
	}
	if _, err := h.tx.Exec(ctx, "INSERT INTO deleted_token (hash, deleted_at) SELECT hash, $1 FROM api_token WHERE "+condition+" ON CONFLICT DO NOTHING", int64(now), arg); err != nil {
		return fmt.Errorf("note deleted tokens: %w", err)
	}
	return nil
}

// DeletedAt returns when the token with this SHA-256 was deleted; 0 when it is not known.
func (h APITokens) DeletedAt(ctx context.Context, hash string) (millrace.Time, error) {
	var at int64
	if _, err := h.tx.One(ctx, "SELECT deleted_at FROM deleted_token WHERE hash = $1", []any{hash}, &at); err != nil {
		return 0, fmt.Errorf("look for a deleted token: %w", err)
	}
	return millrace.Time(at), nil
}

// ByHash returns the token with this SHA-256, of whatever environment, or nil.
func (h APITokens) ByHash(ctx context.Context, hash string) (*millrace.APIToken, error) {
	return apiTokenTable().Find(ctx, h.tx, "hash = $1", hash)
}
