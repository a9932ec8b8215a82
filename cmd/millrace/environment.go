package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/millrace/millrace/internal/server"
)

type environmentCmd struct {
	Create environmentCreateCmd `cmd:"" help:"Create an environment and print its id, also while a server runs."`
	List   environmentListCmd   `cmd:"" help:"List environments."`
	Rename environmentRenameCmd `cmd:"" help:"Give an environment another name."`
	Delete environmentDeleteCmd `cmd:"" help:"Delete an environment with its tokens and, with --force, all that it has."`
}

type environmentCreateCmd struct {
	databaseFlags
	Name string `arg:"" help:"Its name. No other environment has it, in whatever case."`
}

// Run prints the id of the new environment alone on the standard output.
func (c *environmentCreateCmd) Run(ctx context.Context, s *streams) error {
	env, err := server.CreateEnvironment(ctx, c.quiet(s), c.Name)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.out, env.ID)
	return err
}

type environmentListCmd struct{ databaseFlags }

// Run prints a line for each environment.
func (c *environmentListCmd) Run(ctx context.Context, s *streams) error {
	list, err := server.Environments(ctx, c.quiet(s))
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "ID\tCREATED\tNAME") // what cannot be written shows with Flush
	for _, env := range list {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", env.ID, env.CreatedAt, env.Name)
	}
	return w.Flush()
}

type environmentRenameCmd struct {
	databaseFlags
	Environment string `arg:"" help:"Its name or id."`
	Name        string `arg:"" help:"The new name."`
}

// Run prints the id of the environment.
func (c *environmentRenameCmd) Run(ctx context.Context, s *streams) error {
	env, err := server.RenameEnvironment(ctx, c.quiet(s), c.Environment, c.Name)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.out, env.ID)
	return err
}

type environmentDeleteCmd struct {
	databaseFlags
	Environment string `arg:"" help:"Its name or id."`
	Force       bool   `help:"Delete it although it is not empty, with everything that it has. It cannot be undone."`
}

// Run says what was deleted.
func (c *environmentDeleteCmd) Run(ctx context.Context, s *streams) error {
	gone, err := server.DeleteEnvironment(ctx, c.quiet(s), c.Environment, c.Force)
	if err != nil {
		return err
	}
	had := gone.Had
	if had == "" {
		had = "nothing but tokens"
	}
	_, err = fmt.Fprintf(s.out, "Deleted the environment %q (%s) with what it had: %s.\n", gone.Name, gone.ID, had)
	if gone.Left && err == nil {
		_, err = fmt.Fprintln(s.out, "Until a server removes its empty entry, ten minutes from now or later, it also removes what requests that were under way still write.")
	}
	return err
}
