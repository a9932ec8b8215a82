package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/millrace/millrace/internal/admin"
	"github.com/millrace/millrace/internal/dashboard"
)

type signInLinkCmd struct {
	databaseFlags
	User   string `help:"Address of the user; without it, the first owner."`
	Server string `help:"Public address of the server." default:"http://127.0.0.1:8080" env:"MILLRACE_PUBLIC_URL"`
}

// Run prints a link alone on the standard output. It works once, for a day.
func (c *signInLinkCmd) Run(ctx context.Context, s *streams) error {
	token, err := admin.SignInLink(ctx, c.quiet(s), c.User)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.out, dashboard.SignInAddress(strings.TrimSuffix(c.Server, "/"), token))
	return err
}
