package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/node"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
)

// defaultEnvironment is the name of the environment that exists from the start.
const defaultEnvironment = "Default"

// bootstrap creates the first environment, with a token when there is a place to write it to. Later starts do nothing.
func (s *Server) bootstrap(ctx context.Context) error {
	var existing []millrace.Environment
	err := s.db.View(ctx, func(tx *store.Tx) error {
		var err error
		existing, err = tx.Environments(ctx)
		return err
	})
	if err != nil || len(existing) > 0 {
		return err
	}
	token := ""
	if s.opts.TokenFile != "" || s.opts.OnToken != nil {
		token = secret.NewToken()
	}
	if s.opts.TokenFile != "" { // before it is stored: a token that was stored and never written down is lost
		if err := writeToken(s.opts.TokenFile, token); err != nil {
			return err
		}
	}
	switch err := s.createFirst(ctx, token); {
	case millrace.KindOf(err) == millrace.KindConflict: // another node was faster
		if s.opts.TokenFile != "" {
			return os.Remove(s.opts.TokenFile)
		}
		return nil
	case err != nil:
		return err
	}
	switch {
	case token == "":
		s.opts.Logger.InfoContext(ctx, "created the first environment; make a token with: millrace token create")
	case s.opts.OnToken != nil:
		s.opts.OnToken(token)
	}
	return nil
}

func (s *Server) createFirst(ctx context.Context, token string) error {
	return s.db.Update(ctx, func(tx *store.Tx) error {
		env := &millrace.Environment{ID: millrace.FirstEnvironmentID(), Name: defaultEnvironment}
		if err := tx.InsertEnvironment(ctx, env); err != nil || token == "" {
			return err
		}
		return tx.InsertAPIToken(ctx, &millrace.APIToken{EnvironmentID: env.ID, Name: "First token", Hash: secret.HashToken(token), CreatedBy: "cli"})
	})
}

// writeToken writes a token to a file that only the owner of the process may read.
func writeToken(path, token string) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("write token: %w", err)
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.WriteString(token + "\n")
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write token: %w", err)
	}
	return nil
}

// NewToken says which token to make.
type NewToken struct {
	Environment string // its name or id; empty: the first one. An admin token has none
	Name        string
	Admin       bool
	Expires     time.Duration // from now; 0: never
}

// CreateToken adds an API token, also while a server runs on the same database.
func CreateToken(ctx context.Context, opts Options, want NewToken) (string, error) {
	token := secret.NewToken()
	err := withStore(ctx, opts, func(tx *store.Tx) error {
		row := &millrace.APIToken{Name: want.Name, Hash: secret.HashToken(token), CreatedBy: "cli", Scope: millrace.ScopeEnvironment}
		if want.Expires > 0 {
			row.ExpiresAt = tx.Now().Add(want.Expires)
		}
		if want.Admin {
			row.Scope = millrace.ScopeAdmin
			return tx.InsertAPIToken(ctx, row)
		}
		which := want.Environment
		if which == "" {
			which = string(millrace.FirstEnvironmentID())
		}
		env, err := tx.EnvironmentNamed(ctx, which)
		if millrace.KindOf(err) == millrace.KindNotFound && want.Environment == "" {
			return millrace.Errorf(millrace.KindNotFound, "the environment that the first start made is deleted: name one of millrace environment list with --environment")
		}
		if err != nil {
			return err
		}
		row.EnvironmentID = env.ID
		return tx.InsertAPIToken(ctx, row)
	})
	if err != nil {
		return "", fmt.Errorf("create token: %w", err)
	}
	return token, nil
}

// Tokens returns all API tokens, the oldest first. They do not hold the tokens themselves, which are not stored.
func Tokens(ctx context.Context, opts Options) ([]millrace.APIToken, error) {
	all, err := compute(ctx, opts, func(tx *store.Tx) ([]millrace.APIToken, error) { return tx.APITokens(ctx) })
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	return all, nil
}

// DeleteToken removes an API token. A server that runs notices within seconds.
func DeleteToken(ctx context.Context, opts Options, id millrace.APITokenID) error {
	err := withStore(ctx, opts, func(tx *store.Tx) error { return tx.DeleteAnyAPIToken(ctx, id) })
	if err != nil {
		return fmt.Errorf("delete token: %w", err)
	}
	return nil
}

// withStore runs a transaction on the database of a server that may be running.
func withStore(ctx context.Context, opts Options, fn func(*store.Tx) error) error {
	db, err := existingStore(ctx, opts)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	return db.Update(ctx, fn)
}

// compute is withStore for a result, which counts once the transaction has committed.
func compute[T any](ctx context.Context, opts Options, fn func(*store.Tx) (T, error)) (T, error) {
	db, err := existingStore(ctx, opts)
	if err != nil {
		var none T
		return none, err
	}
	defer func() { _ = db.Close() }()
	return store.Compute(ctx, db, fn)
}

// existingStore opens the database of a server that may be running. It makes neither a database nor a key.
func existingStore(ctx context.Context, opts Options) (*store.DB, error) {
	url := opts.Database
	if url == "" {
		url = SQLitePath(opts.DataDir)
		if _, err := node.IsKnown(opts.DataDir, url); err != nil {
			return nil, err
		}
		info, err := os.Stat(url)
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
			return nil, fmt.Errorf("there is no database %s: start the server first, or name its directory with --data-dir or its address with --database", url)
		}
	}
	db, _, err := openDatabase(ctx, opts, url, nil, false)
	return db, err
}
