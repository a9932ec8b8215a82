package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/integrations"
	"github.com/millrace/millrace/integrations/signin"
)

type integrationCmd struct {
	List    integrationListCmd    `cmd:"" help:"List the ready integrations."`
	Show    integrationShowCmd    `cmd:"" help:"Print what a ready integration is about: credentials, permissions, resources, limits."`
	Install integrationInstallCmd `cmd:"" help:"Create a ready integration on a server, or bring it up to date, and install it in the token's environment."`
}

type integrationListCmd struct {
	Signin bool `help:"List the known sign-ins: how providers give tokens, taken from other projects and from documentation, and not tried."`
}

// Run prints the catalogue as a table.
func (c *integrationListCmd) Run(s *streams) error {
	if c.Signin {
		return listSignIns(s)
	}
	all, err := integrations.All()
	if err != nil {
		return err
	}
	w := columns(s.out)
	_, _ = fmt.Fprintln(w, "NAME\tLABEL\tTIER\tCATEGORY\tAUTH\tRESOURCES")
	for _, i := range all {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n",
			i.Name, i.Label, i.Tier(), i.Category, strings.Join(i.Auth, ", "), strings.Join(i.Resources, ", "))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.out, "\nproxy: calls can be made. sync: a sync job comes with it, tested against recorded responses. verified: run against the provider's own "+
		"server.\nFor other providers there are known sign-ins, none of them tried: millrace integration list --signin")
	return err
}

// listSignIns prints the known sign-ins that are no ready integrations.
func listSignIns(s *streams) error {
	known, err := signin.All()
	if err != nil {
		return err
	}
	ready, err := integrations.Names()
	if err != nil {
		return err
	}
	w := columns(s.out)
	_, _ = fmt.Fprintln(w, "NAME\tLABEL\tTIER\tAPI\tTAKEN FROM")
	for _, p := range known {
		if slices.Contains(ready, p.Name) {
			continue
		}
		from := p.Sources
		if len(p.Read) > 0 {
			from = append(from, "documentation, "+p.Read[len(p.Read)-1].Date)
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\tknown sign-in\t%s\t%s\n", p.Name, p.Label, cmp.Or(p.BaseURL, "-"), strings.Join(from, ", "))
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
	Signin      bool   `help:"Install a known sign-in, which is untested: accounts can connect, and calls be made at /custom."`
	BaseURL     string `help:"Address of the provider's API, for a known sign-in that has none or another one." placeholder:"URL"`
	WithSyncJob bool   `help:"Also create the integration's sync job, or bring it up to date."`
}

// Run creates or updates what is in the catalogue and prints the ids. Doing it again changes nothing.
func (c *integrationInstallCmd) Run(ctx context.Context, s *streams) error {
	i, err := c.find()
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
	if c.Signin {
		return errors.Join(w.Flush(), c.explain(s, install.ID))
	}
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

// find returns what is to be installed.
func (c *integrationInstallCmd) find() (*integrations.Integration, error) {
	ready, err := integrations.Get(c.Name)
	if !c.Signin {
		if _, known := signin.Get(c.Name); err != nil && known == nil {
			return nil, fmt.Errorf("%s is no ready integration, but an untested sign-in: install it with --signin", c.Name)
		}
		if err == nil && c.BaseURL != "" {
			err = errors.New("--base-url is for known sign-ins; a ready integration gets another address by the override of its installation")
		}
		return ready, err
	}
	switch {
	case err == nil:
		return nil, fmt.Errorf("%s is a ready integration: install it without --signin", c.Name)
	case c.WithSyncJob:
		return nil, errors.New("a known sign-in has no sync job")
	}
	p, err := signin.Get(c.Name)
	if err != nil {
		return nil, err
	}
	body, err := p.Integration(c.BaseURL)
	if millrace.KindOf(err) == millrace.KindInvalid {
		err = fmt.Errorf("the address of %s's API is not known: give it with --base-url", p.Label)
	}
	return &integrations.Integration{Name: p.Name, Body: body}, err
}

// explain says what is left to do before accounts can sign in.
func (c *integrationInstallCmd) explain(s *streams, install string) error {
	_, err := fmt.Fprintf(s.out, "\nThis sign-in is untested. Register a client with the provider and store it in the installation:\n"+
		"  PATCH /environment-integration/%s\n"+
		"  {\"override\": {\"credentials\": {\"oauth2\": {\"config\": {\"client\": {\"id\": \"...\", \"secret\": \"...\"}, \"scope\": [\"...\"]}}}}}\n", install)
	return err
}
