package main

import (
	"context"
	"encoding/json"
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

// Run prints the README of an integration, or one of its bodies as it is, to be changed and sent by hand.
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
	api, err := c.client()
	if err != nil {
		return err
	}
	w := columns(s.out)
	defer func() { _ = w.Flush() }() // what was done is printed also when the next request fails
	id, did, err := installIntegration(ctx, api, i)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(w, "integration\t%s\t%s\n", id, did)
	var install struct {
		ID string `json:"id"`
	}
	if err := api.call(ctx, "POST", "/environment-integration", map[string]string{"integration_id": id}, &install); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(w, "environment integration\t%s\tinstalled\n", install.ID)
	if !c.WithSyncJob {
		return nil
	}
	if id, did, err = installSyncJob(ctx, api, i); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(w, "sync job\t%s\t%s\n", id, did)
	return nil
}

// shown is a row as the API shows it, with the members that are compared.
type shown struct {
	ID      string `json:"id"`
	Version int64  `json:"version"`
	all     map[string]any
}

// UnmarshalJSON keeps all members.
func (v *shown) UnmarshalJSON(b []byte) error {
	type plain shown
	if err := json.Unmarshal(b, (*plain)(v)); err != nil {
		return err
	}
	return json.Unmarshal(b, &v.all)
}

// find returns the first row of a list; nil when there is none.
func (c *client) find(ctx context.Context, path string) (*shown, error) {
	var list struct {
		Result []*shown `json:"result"`
	}
	if err := c.call(ctx, "GET", path, nil, &list); err != nil || len(list.Result) == 0 {
		return nil, err
	}
	return list.Result[0], nil
}
