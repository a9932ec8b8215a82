package server

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/dashboard"
	"github.com/millrace/millrace/internal/dashboard/door"
	"github.com/millrace/millrace/internal/egress"
	"github.com/millrace/millrace/internal/oidc"
	"github.com/millrace/millrace/internal/people"
)

// board makes the dashboard over an API.
func (s *Server) board(api http.Handler) (*dashboard.Handler, error) {
	s.people = people.New(s.db)
	s.door = s.entrance()
	return dashboard.New(dashboard.Config{
		DB: s.db, People: s.people, API: api, Clock: s.opts.Clock, Logger: s.opts.Logger, PublicURL: s.publicURL, Door: s.door, Server: s.about(),
	})
}

// withPrivate allows private networks, for requests whose address the operator has given.
func withPrivate(cfg egress.TransportConfig) egress.TransportConfig {
	cfg.Allow = slices.Clone(cfg.Allow)
	for _, private := range []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"} { // IPv6 has a metadata service among its private addresses
		cfg.Allow = append(cfg.Allow, netip.MustParsePrefix(private))
	}
	return cfg
}

// entrance makes the way in by the identity provider, or nil.
func (s *Server) entrance() *door.Door {
	o := s.opts.OIDC
	if o == nil {
		return nil
	}
	return door.New(door.Config{
		Client: oidc.New(oidc.Config{
			Settings: o.Settings, Redirect: func() string { return s.publicURL() + door.Path }, Transport: egress.NewTransport(withPrivate(s.egress)), Keys: s.keys, Clock: s.opts.Clock,
		}),
		People: s.people, Admission: people.Admission{Domains: o.Domains, Role: o.Role}, Only: o.Only,
		Secure: func() bool { return strings.HasPrefix(s.publicURL(), "https:") }, Logger: s.opts.Logger,
	})
}

// invite tells of a link to the dashboard while no user has signed in.
func (s *Server) invite(ctx context.Context) error {
	if s.opts.OnSignIn == nil {
		return nil
	}
	link, err := s.people.FirstLink(ctx)
	if err == nil && link != "" {
		s.opts.OnSignIn(dashboard.SignInAddress(s.publicURL(), link))
	}
	return err
}
