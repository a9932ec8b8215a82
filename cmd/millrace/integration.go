package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/millrace/millrace/integrations"
)

type integrationCmd struct {
	List    integrationListCmd    `cmd:"" help:"List the ready integrations."`
	Show    integrationShowCmd    `cmd:"" help:"Print what a ready integration is about: credentials, permissions, resources, limits."`
	Install integrationInstallCmd `cmd:"" help:"Create a ready integration on a server, or bring it up to date, and install it in the token's environment."`
}

type integrationListCmd struct{}

// Run prints the catalogue as a table.
func (integrationListCmd) Run(s *streams) error {
	all, err := integrations.All()
	if err != nil {
		return err
	}
	w := columns(s.out)
	_, _ = fmt.Fprintln(w, "NAME\tLABEL\tCATEGORY\tAUTH\tRESOURCES")
	for _, i := range all {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n",
			i.Name, i.Label, i.Category, strings.Join(i.Auth, ", "), strings.Join(i.Resources, ", "))
	}
	return w.Flush()
}

func columns(out io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(out, 0, 0, 2, ' ', 0) }

type integrationShowCmd struct {
	Name   string `arg:"" help:"Name of the integration."`
	Format string `help:"What to print: text, or the body of a request: integration, sync-job." enum:"text,integration,sync-job" default:"text"`
}

// Run prints the README of an integration, or one of its bodies, to be changed and sent by hand.
func (c *integrationShowCmd) Run(s *streams) error {
	i, err := integrations.Get(c.Name)
	if err != nil {
		return err
	}
	text := i.Readme
	switch c.Format {
	case "integration":
		text = i.BodyYAML
	case "sync-job":
		text = i.SyncJobYAML
	}
	_, err = io.WriteString(s.out, text)
	return err
}

type integrationInstallCmd struct {
	clientFlags
	Name        string `arg:"" help:"Name of the integration."`
	WithSyncJob bool   `help:"Also create the integration's sync job, or bring it up to date."`
}

// Run creates or updates what is in the catalogue and prints the ids. Doing it again changes nothing.
func (c *integrationInstallCmd) Run(ctx context.Context, s *streams) error {
	i, err := integrations.Get(c.Name)
	if err != nil {
		return err
	}
	server, err := c.client()
	if err != nil {
		return err
	}
	api := installer{server}
	w := columns(s.out)
	defer func() { _ = w.Flush() }() // what was done is printed also when the next request fails
	integration, err := api.installIntegration(ctx, i)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(w, "integration\t%s\t%s\n", integration.id, integration.did)
	var install shown
	body := map[string]string{"integration_id": integration.id}
	if err := api.Post(ctx, "/environment-integration", body, &install); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(w, "environment integration\t%s\t%s\n", install.ID, didInstall)
	if !c.WithSyncJob {
		return nil
	}
	job, err := api.installSyncJob(ctx, i)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(w, "sync job\t%s\t%s\n", job.id, job.did)
	return nil
}
