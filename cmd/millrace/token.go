package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/admin"
)

type tokenCmd struct {
	Create tokenCreateCmd `cmd:"" help:"Print a new API token, also while a server runs."`
	List   tokenListCmd   `cmd:"" help:"List API tokens, without the tokens themselves."`
	Delete tokenDeleteCmd `cmd:"" help:"Delete an API token by its id, as token list shows it."`
}

type tokenCreateCmd struct {
	databaseFlags
	Environment string        `help:"Name or id of the environment; without it, the one that the first start made."`
	Name        string        `help:"Name of the token, for lists." default:"Created on the command line"`
	Scope       string        `help:"What the token may do: read, or (write) everything in its environment, or (admin) manage environments and tokens, in none." enum:"read,write,admin" default:"write"`
	Expires     time.Duration `help:"After what time the token ends, such as 720h; 0: never." default:"0" placeholder:"DURATION"`
}

// Validate implements kong's check.
func (c *tokenCreateCmd) Validate() error {
	switch {
	case c.Expires < 0:
		return fmt.Errorf("--expires %s: must not be negative", c.Expires)
	case c.Scope == string(millrace.ScopeAdmin) && c.Environment != "":
		return errors.New("--environment: an admin token belongs to no environment")
	}
	return nil
}

// Run prints a new token alone on the standard output.
func (c *tokenCreateCmd) Run(ctx context.Context, s *streams) error {
	token, err := admin.CreateToken(ctx, c.quiet(s), admin.NewToken{
		Environment: c.Environment, Name: c.Name, Scope: millrace.TokenScope(c.Scope), Expires: c.Expires,
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.out, token)
	return err
}

type tokenListCmd struct{ databaseFlags }

// Run prints a line for each token.
func (c *tokenListCmd) Run(ctx context.Context, s *streams) error {
	list, err := admin.Tokens(ctx, c.quiet(s))
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "ID\tSCOPE\tENVIRONMENT\tCREATED\tEXPIRES\tNAME") // what cannot be written shows with Flush
	for _, t := range list {
		expires := "never"
		if t.ExpiresAt > 0 {
			expires = t.ExpiresAt.String()
		}
		environment := cmp.Or(string(t.EnvironmentID), "-")
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%q\n", t.ID, t.Scope, environment, t.CreatedAt, expires, t.Name)
	}
	return w.Flush()
}

type tokenDeleteCmd struct {
	databaseFlags
	ID string `arg:"" name:"id" help:"Id of the token."`
}

// Run deletes a token and prints its id.
func (c *tokenDeleteCmd) Run(ctx context.Context, s *streams) error {
	err := admin.DeleteToken(ctx, c.quiet(s), millrace.APITokenID(c.ID))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.out, c.ID)
	return err
}
