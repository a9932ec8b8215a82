package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/millrace/millrace"
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
		existing, err = tx.Environments().All(ctx)
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
		if err := tx.Environments().Create(ctx, env); err != nil || token == "" {
			return err
		}
		return tx.APITokens().Create(ctx, &millrace.APIToken{EnvironmentID: env.ID, Name: "First token", Hash: secret.HashToken(token), CreatedBy: "cli"})
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
