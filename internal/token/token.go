// Package token creates and deletes API tokens, for the API and for the command line, and tells the environment that one is for.
//
// Only the hash of a token is stored. A token and the event about it are one transaction.
package token

import (
	"context"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
)

// Create stores a new API token and returns the token itself, which cannot be read later.
func Create(ctx context.Context, tx *store.Tx, row *millrace.APIToken) (string, error) {
	token := secret.NewToken()
	row.Hash = secret.HashToken(token) //commit:allow callers create tokens that they made in the transaction
	if err := tx.APITokens().Create(ctx, row); err != nil {
		return "", err
	}
	return token, tell(ctx, tx, row.EnvironmentID, millrace.EventTokenCreated, row)
}

// Delete deletes the API token of any environment, or returns an error of KindNotFound.
func Delete(ctx context.Context, tx *store.Tx, id millrace.APITokenID) error {
	row, err := tx.APITokens().Get(ctx, "", id)
	if err != nil {
		return err
	}
	if err := tx.APITokens().Delete(ctx, id); err != nil {
		return err
	}
	return tell(ctx, tx, row.EnvironmentID, millrace.EventTokenDeleted, millrace.DeletedPayload{ID: string(row.ID)})
}

// tell emits an event about a token. Admin tokens have no environment to notify.
func tell(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID, name string, payload any) error {
	if env == "" {
		return nil
	}
	e, err := event.New(tx, env, name, payload)
	if err != nil {
		return err
	}
	return event.Emit(ctx, tx, e)
}
