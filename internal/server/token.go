package server

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// defaultEnvironment is the name of the environment that exists from the start.
const defaultEnvironment = "Default"

// bootstrap creates the first environment with a token, which it returns. Later starts return "".
func bootstrap(ctx context.Context, db *store.DB) (string, error) {
	token := ""
	err := db.Update(ctx, func(tx *store.Tx) error {
		token = ""
		existing, err := tx.Environments(ctx)
		if err != nil || len(existing) > 0 {
			return err
		}
		env := &millrace.Environment{
			// The same id everywhere, so that of two nodes that start at once only one creates it.
			ID: millrace.DeriveID[millrace.EnvironmentID]("environment", defaultEnvironment), Name: defaultEnvironment,
		}
		if err := tx.InsertEnvironment(ctx, env); err != nil {
			return err
		}
		token, err = insertToken(ctx, tx, env.ID, "First token")
		return err
	})
	if millrace.KindOf(err) == millrace.KindConflict {
		return "", nil
	}
	return token, err
}

// insertToken stores the hash of a new random token and returns the token.
func insertToken(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID, name string) (string, error) {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // never fails
	token := "mr_" + base64.RawURLEncoding.EncodeToString(random)
	sum := sha256.Sum256([]byte(token))
	err := tx.InsertAPIToken(ctx, &millrace.APIToken{EnvironmentID: env, Name: name, Hash: hex.EncodeToString(sum[:]), CreatedBy: "cli"})
	return token, err
}

// CreateToken adds an API token to the environment of that name, also while a server runs on the same database.
func CreateToken(ctx context.Context, opts Options, environment, name string) (string, error) {
	url := opts.Database
	if url == "" {
		url = SQLitePath(opts.DataDir)
	}
	cipher, err := newCipher(ctx, opts)
	if err != nil {
		return "", err
	}
	db, err := store.Open(ctx, store.Config{URL: url, Cipher: cipher, Clock: opts.Clock})
	if err != nil {
		return "", err
	}
	defer func() { _ = db.Close() }()
	token := ""
	err = db.Update(ctx, func(tx *store.Tx) error {
		environments, err := tx.Environments(ctx)
		if err != nil {
			return err
		}
		for _, env := range environments {
			if env.Name == environment {
				token, err = insertToken(ctx, tx, env.ID, name)
				return err
			}
		}
		return millrace.NotFound("environment", environment)
	})
	if err != nil {
		return "", fmt.Errorf("create token: %w", err)
	}
	return token, nil
}
