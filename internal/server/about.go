package server

import (
	"cmp"
	"context"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dashboard/settings"
	"github.com/millrace/millrace/internal/node"
	"github.com/millrace/millrace/internal/store"
)

// about is what the page of the server shows of this process.
func (s *Server) about() settings.Server {
	name := s.opts.Database
	if name == "" {
		name = node.SQLitePath(s.opts.DataDir)
	} else if shown, err := store.Name(name); err == nil { // it has been opened, so it has one
		name = shown
	}
	out := settings.Server{
		Started: millrace.TimeOf(s.opts.Clock()), Database: name, DataDir: s.opts.DataDir, Dev: s.opts.Dev, Flags: s.opts.Flags, Keep: s.opts.Keep,
		PublicURL: s.publicURL, Measure: s.measure, Keys: s.keysInUse,
		Ready: func(ctx context.Context) error { return cmp.Or(s.db.CheckSpace(ctx), s.ready(ctx)) },
	}
	if s.place != nil {
		out.Node = s.place.ID
	}
	return out
}

// measure is what this process sees of its machine.
func (s *Server) measure() settings.Measure {
	m := settings.Measure{Resealing: s.storage.Left(), Workers: s.queue.Workers()}
	m.Free, m.KnowsFree = node.FreeSpace(s.opts.DataDir)
	if pool := s.db.Postgres(); pool != nil {
		now := pool.Stat()
		m.Busy, m.Open, m.Most = int(now.AcquiredConns()), int(now.TotalConns()), int(now.MaxConns())
	} else {
		m.Log = node.LogSize(s.opts.DataDir)
	}
	return m
}

func (s *Server) keysInUse(ctx context.Context) ([]settings.Key, error) {
	states, err := s.storage.KeysInUse(ctx)
	out := make([]settings.Key, len(states))
	for i, k := range states {
		out[i] = settings.Key{Name: k.Name, Since: k.Since, Given: k.Given, Now: k.First}
	}
	return out, err
}
