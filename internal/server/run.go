package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/node"
)

// shutdownTimeout is how long a graceful stop may take.
const shutdownTimeout = 10 * time.Second

// Start begins to work and to listen.
func (s *Server) Start(ctx context.Context) error {
	var err error
	if s.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", s.opts.Addr); err != nil {
		return fmt.Errorf("listen on %s: %w", s.opts.Addr, err)
	}
	if err := s.serveMetrics(ctx); err != nil {
		_ = s.listener.Close()
		return err
	}
	if err := s.bootstrap(ctx); err != nil {
		_ = s.listener.Close()
		return fmt.Errorf("create first environment: %w", err)
	}
	if err := s.invite(ctx); err != nil {
		_ = s.listener.Close()
		return fmt.Errorf("make sign-in link: %w", err)
	}
	if err := s.queue.Start(ctx); err != nil {
		_ = s.listener.Close()
		return fmt.Errorf("start queue: %w", err)
	}
	if err := s.place.Settle(); err != nil {
		s.opts.Logger.WarnContext(ctx, "node file", slog.String("err", err.Error()))
	}
	ticking, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.stopTick = cancel
	s.ticking.Go(func() { s.ticker.Run(ticking) })
	s.ticking.Go(func() { s.door.Check(ticking) })
	s.ticking.Go(func() { s.storage.Reseal(ticking, s.opts.Logger) })
	go func() { s.served <- s.http.Serve(s.listener) }()
	s.opts.Logger.InfoContext(ctx, "serving", slog.String("addr", s.Addr()), slog.String("database", databaseName(s.db)),
		slog.String("version", millrace.Version()))
	return nil
}

// serveMetrics serves metrics, if they are wanted.
func (s *Server) serveMetrics(ctx context.Context) error {
	if s.metrics == nil {
		return nil
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.opts.MetricsAddr)
	if err != nil {
		return fmt.Errorf("listen for metrics on %s: %w", s.opts.MetricsAddr, err)
	}
	s.scrapes = &http.Server{
		Handler: s.metrics.Handler(), ReadHeaderTimeout: 10 * time.Second, WriteTimeout: time.Minute,
		ErrorLog: slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelDebug),
	}
	go func() { _ = s.scrapes.Serve(l) }()
	s.opts.Logger.InfoContext(ctx, "serving metrics", slog.String("addr", l.Addr().String()))
	return nil
}

// Addr returns the address the server listens on.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Stop ends the server within shutdownTimeout. What is not done goes on in the next process.
func (s *Server) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	var errs []error
	if s.stopTick != nil {
		s.stopTick()
		s.ticking.Wait()
	}
	if s.listener != nil {
		errs = append(errs, s.http.Shutdown(ctx), s.queue.Stop(ctx))
	}
	if s.grants != nil {
		s.grants.Stop(ctx)
	}
	if s.scrapes != nil {
		errs = append(errs, s.scrapes.Shutdown(ctx))
	}
	if s.accepter != nil {
		s.accepter.Stop()
	}
	if s.receiver != nil {
		s.receiver.Stop()
	}
	if s.proxy != nil {
		s.proxy.Stop()
	}
	s.closeStore(ctx)
	return errors.Join(errs...)
}

func (s *Server) closeStore(ctx context.Context) {
	if s.db != nil {
		if s.place != nil { // before the first heartbeat, the queue does not do so
			_ = s.db.LeaveNode(context.WithoutCancel(ctx), s.place.ID)
		}
		if err := s.db.Close(); err != nil {
			s.opts.Logger.WarnContext(ctx, "close database", slog.String("err", err.Error()))
		}
	}
	s.lock.Release()
	s.place.Release()
}

// Run starts the server and stops it when ctx ends or when it can no longer listen.
func (s *Server) Run(ctx context.Context) error {
	if err := s.Start(ctx); err != nil {
		return errors.Join(err, s.Stop(ctx))
	}
	var failed error
	select {
	case <-ctx.Done():
		s.opts.Logger.InfoContext(ctx, "stopping")
	case failed = <-s.served:
	}
	return errors.Join(failed, s.Stop(ctx))
}

// ready says why the server cannot do its work.
func (s *Server) ready(context.Context) error {
	if s.db.Postgres() != nil {
		return nil
	}
	if free, known := node.FreeSpace(s.opts.DataDir); known && free < node.SpaceToServe {
		return millrace.Errorf(millrace.KindUnavailable, "the disk of the data directory is full: %d MiB are free, at least %d MiB are needed", free>>20, uint64(node.SpaceToServe>>20))
	}
	return nil
}
