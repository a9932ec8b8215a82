package server

import (
	"context"
	"net/http"

	"github.com/millrace/millrace/internal/dashboard"
	"github.com/millrace/millrace/internal/people"
)

// board makes the dashboard over an API.
func (s *Server) board(api http.Handler) (*dashboard.Handler, error) {
	s.people = people.New(s.db)
	return dashboard.New(dashboard.Config{
		DB: s.db, People: s.people, API: api, Clock: s.opts.Clock, Logger: s.opts.Logger, PublicURL: s.publicURL,
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
