package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/admin"
)

type environmentCmd struct {
	Create environmentCreateCmd `cmd:"" help:"Create an environment and print its id, also while a server runs."`
	List   environmentListCmd   `cmd:"" help:"List environments."`
	Rename environmentRenameCmd `cmd:"" help:"Give an environment another name."`
	Weight environmentWeightCmd `cmd:"" help:"Say how much of what environments share one has, beside others."`
	Delete environmentDeleteCmd `cmd:"" help:"Delete an environment with its tokens and, with --force, all that it has."`
}

type environmentCreateCmd struct {
	databaseFlags
	Name   string `arg:"" help:"Its name. No other environment has it, in whatever case."`
	Weight int64  `help:"Its part of what environments share, beside others, from 1 to 1000: one of 200 gets twice as much as one of 100." default:"100"`
}

// Run prints the id of the new environment alone on the standard output.
func (c *environmentCreateCmd) Run(ctx context.Context, s *streams) error {
	return s.printID(admin.CreateEnvironment(ctx, c.quiet(s), c.Name, c.Weight))
}

// printID prints the id of an environment, unless there is an error.
func (s *streams) printID(env *millrace.Environment, err error) error {
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.out, env.ID)
	return err
}

type environmentListCmd struct{ databaseFlags }

// Run prints a line for each environment.
func (c *environmentListCmd) Run(ctx context.Context, s *streams) error {
	list, err := admin.Environments(ctx, c.quiet(s))
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "ID\tCREATED\tWEIGHT\tNAME") // what cannot be written shows with Flush
	for _, env := range list {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", env.ID, env.CreatedAt, env.Weight, env.Name)
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
	return s.printID(admin.RenameEnvironment(ctx, c.quiet(s), c.Environment, c.Name))
}

type environmentWeightCmd struct {
	databaseFlags
	Environment string `arg:"" help:"Its name or id."`
	Weight      int64  `arg:"" help:"From 1 to 1000; a new environment has 100. One of 200 gets twice as much as one of 100, where both want more than there is."`
}

// Run prints the id of the environment.
func (c *environmentWeightCmd) Run(ctx context.Context, s *streams) error {
	return s.printID(admin.WeighEnvironment(ctx, c.quiet(s), c.Environment, c.Weight))
}

type environmentDeleteCmd struct {
	databaseFlags
	Environment string `arg:"" help:"Its name or id."`
	Force       bool   `help:"Delete it although it is not empty, with everything that it has. It cannot be undone."`
}

// Run says what was deleted.
func (c *environmentDeleteCmd) Run(ctx context.Context, s *streams) error {
	gone, err := admin.DeleteEnvironment(ctx, c.quiet(s), c.Environment, c.Force)
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
