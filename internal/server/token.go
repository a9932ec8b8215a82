package server

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"

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
		env := firstEnvironment()
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

func firstEnvironment() *millrace.Environment {
	return &millrace.Environment{ID: millrace.FirstEnvironmentID(), Name: defaultEnvironment}
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

// CreateToken adds an API token to the environment of that name, also while a server runs on the same database, or
// before one ever did.
func CreateToken(ctx context.Context, opts Options, environment, name string) (string, error) {
	token := ""
	err := withStore(ctx, opts, func(tx *store.Tx) error {
		environments, err := tx.Environments(ctx)
		if err != nil {
			return err
		}
		if len(environments) == 0 {
			first := firstEnvironment()
			if err := tx.InsertEnvironment(ctx, first); err != nil {
				return err
			}
			environments = append(environments, *first)
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

// DeleteToken removes an API token. A server that runs notices within seconds.
func DeleteToken(ctx context.Context, opts Options, id millrace.APITokenID) error {
	err := withStore(ctx, opts, func(tx *store.Tx) error {
		environments, err := tx.Environments(ctx)
		if err != nil {
			return err
		}
		for _, env := range environments {
			err := tx.DeleteAPIToken(ctx, env.ID, id)
			if millrace.KindOf(err) != millrace.KindNotFound || err == nil {
				return err
			}
		}
		return millrace.NotFound("API token", string(id))
	})
	if err != nil {
		return fmt.Errorf("delete token: %w", err)
	}
	return nil
}

// withStore runs a transaction on the database of a server that may be running.
func withStore(ctx context.Context, opts Options, fn func(*store.Tx) error) error {
	if err := os.MkdirAll(opts.DataDir, 0o700); err != nil {
		return fmt.Errorf("create data directory: %w", err)
	}
	url := opts.Database
	if url == "" {
		url = SQLitePath(opts.DataDir)
	}
	db, err := openDatabase(ctx, opts, url)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	return db.Update(ctx, fn)
}
