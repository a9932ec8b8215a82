// Package server assembles Millrace from its parts: the one package that knows all of them.
//
// It opens the database, plugs the stages into the queue and into each other, serves the API, and takes everything
// down again in the order in which that loses nothing: first no new requests, then no new events, then the tasks,
// which yield within seconds and go on in the next process.
package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/connect"
	"github.com/millrace/millrace/internal/connect/page"
	"github.com/millrace/millrace/internal/deliver"
	"github.com/millrace/millrace/internal/deliver/notify"
	"github.com/millrace/millrace/internal/disconnect"
	"github.com/millrace/millrace/internal/egress"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/form"
	"github.com/millrace/millrace/internal/grant"
	"github.com/millrace/millrace/internal/httpapi"
	"github.com/millrace/millrace/internal/inbound"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/internal/node"
	"github.com/millrace/millrace/internal/oauth"
	"github.com/millrace/millrace/internal/provider"
	"github.com/millrace/millrace/internal/queue"
	"github.com/millrace/millrace/internal/retention"
	"github.com/millrace/millrace/internal/schedule"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/syncjob"
	"github.com/millrace/millrace/internal/telemetry"
	"github.com/millrace/millrace/internal/trace"
	"github.com/millrace/millrace/internal/trigger"
	"github.com/millrace/millrace/internal/workflow"
)

// Options configure a server. DataDir and Logger are required.
type Options struct {
	Addr          string         // where to listen; empty: 127.0.0.1:8080
	DataDir       string         // SQLite file, key file and lock
	Database      string         // postgres://...; empty: SQLite in DataDir
	EncryptionKey string         // 32 bytes in base64, further ones that still decrypt below; empty: a key file in DataDir
	KeySource     string         // where EncryptionKey comes from, for messages; empty: the flag
	Dev           bool           // outbound requests may go to this machine
	AllowNetworks []netip.Prefix // further networks that outbound requests may go to
	HeaderPrefix  string         // of the signature header; empty: Truto
	UserAgent     string         // of deliveries; empty: truto
	PublicURL     string         // of the server, as browsers know it; empty: http:// and the address it listens on
	MetricsAddr   string         // where to serve metrics, without any token; empty: nowhere
	Logger        *slog.Logger
	Clock         func() time.Time // nil: time.Now
	OnToken       func(string)     // called with the token that the first start creates, once the server listens
	TokenFile     string           // where the first start writes that token instead
	TokenLimit    int              // requests in 10 s for each API token; 0: any number
	AccountLimit  int              // of the proxy API and the custom API, for each account; 0: any number
	InboundLimit  int              // of providers to us, for each account or installation; 0: any number
	InboundBytes  int              // of their bodies in 10 s, for each account or installation; 0: any number
	Percent       int              // of the workers that others leave free, for one environment; 0: 50
	Warm          bool             // connections to PostgreSQL are opened before they are needed
	FetchRetries  []time.Duration  // pauses before a request to a provider that failed is repeated; nil: 1 s to 1 min
	MaxFailure    time.Duration    // how long a webhook may fail before it is set inactive; 0: 5 days
	ParkRetries   []time.Duration  // pauses before a webhook that parked a run is tried again; nil: 1 min to 10 h

	// SMTP sends notifications by mail; nil: none are sent. Its Dial is set by the server.
	SMTP *SMTP

	Limits Limits
	Memory int64 // bytes that bodies, responses and pages of providers may take at once; 0: memory.Default

	Keep map[millrace.Kept]time.Duration // how long rows are kept; a kind that is absent or 0: forever

	Faults store.Faults // of the database, for tests; nil: none
}

// Storage says which database the server uses.
func (o *Options) Storage() node.Options {
	return node.Options{
		DataDir: o.DataDir, Database: o.Database, EncryptionKey: o.EncryptionKey, KeySource: o.KeySource, Logger: o.Logger, Clock: o.Clock,
		Warm: o.Warm, Faults: o.Faults,
	}
}

// SMTP is a server that takes mails, and how it is spoken to.
type SMTP = notify.Mailer

// SMTPMode says how the connection is protected: starttls, tls or none.
type SMTPMode = notify.TLSMode

// Limits bound what sync job runs and workflows may do. Each of them is a default when it is 0.
type Limits struct {
	Pages         int64         // of one request, or of one element of its loop; 100,000
	Recursion     int64         // how deep a request may recurse; 32
	RunTime       time.Duration // that a run may be worked on, without the time in which it waits; 72 h
	Page          int64         // bytes of a response of a provider; 32 MiB
	Delivery      int           // bytes of a delivery of records; 16 MiB
	Spool         int           // bytes that a spool may collect; 32 MiB
	FanOut        int64         // workflow runs that one event may cause, directly or through others; 10,000
	ConditionTime time.Duration // of each second that expressions of workflows and hooks of one environment may take; 500 ms
	AuthWait      time.Duration // how long a run waits for an account that must be connected again; 7 days; negative: not at all
	RateLimitWait time.Duration // how long a provider may keep an account waiting before the next request is made anyway; 1 h
}

// conditionTime is how much of each second expressions of one environment may take by default.
const conditionTime = 500 * time.Millisecond

// shutdownTimeout is how long a graceful stop may take.
const shutdownTimeout = 10 * time.Second

// Server is a running Millrace.
type Server struct {
	egress   egress.TransportConfig // what requests may go to
	opts     Options
	storage  *node.Storage
	lock     *node.Lock // of SQLite
	keys     *secret.Keyring
	place    *node.Place // of a node on PostgreSQL
	db       *store.DB
	queue    *queue.Queue
	accepter *event.Accepter
	grants   *grant.Keeper
	receiver *inbound.Receiver
	ticker   *schedule.Ticker
	ticking  sync.WaitGroup
	stopTick context.CancelFunc
	listener net.Listener
	http     *http.Server
	metrics  *telemetry.Metrics // nil: they are not wanted
	scrapes  *http.Server       // of the metrics, like these
	served   chan error
}

// New opens the database and assembles the server. Nothing listens or works before Start.
func New(ctx context.Context, opts Options) (*Server, error) {
	if opts.Logger == nil || opts.DataDir == "" {
		return nil, errors.New("server: a logger and a data directory are required")
	}
	if opts.Addr == "" {
		opts.Addr = "127.0.0.1:8080"
	}
	if opts.Clock == nil {
		opts.Clock = time.Now //nolint:forbidigo // the default of the injected clock
	}
	opts.Logger = trace.Logger(opts.Logger)
	s := &Server{opts: opts, served: make(chan error, 1)}
	if err := s.open(ctx); err != nil {
		s.closeStore(ctx)
		return nil, err
	}
	return s, nil
}

func (s *Server) open(ctx context.Context) error {
	opened, err := node.Open(ctx, s.opts.Storage())
	if err != nil {
		return err
	}
	s.storage, s.db, s.lock, s.keys, s.place = opened, opened.DB, opened.Lock, opened.Keys, opened.Place
	if err := account.SealAll(ctx, s.db, s.opts.Logger); err != nil {
		return err
	}
	return s.assemble(ctx)
}

func (s *Server) assemble(ctx context.Context) error {
	s.egress = egress.TransportConfig{AllowLoopback: s.opts.Dev, Allow: s.opts.AllowNetworks, Logger: s.opts.Logger}
	transport := egress.NewTransport(s.egress)
	client := &http.Client{Transport: transport}
	if s.opts.SMTP != nil {
		mailer := *s.opts.SMTP
		mailer.Dial = transport.DialContext
		s.opts.SMTP = &mailer
	}
	if s.opts.MetricsAddr != "" {
		s.metrics = telemetry.New(s.db, s.opts.Clock, s.opts.Logger)
	}
	sender, err := deliver.New(deliver.Config{
		Observe: s.metrics.Observe,
		Client:  client, Clock: s.opts.Clock, Logger: s.opts.Logger, HeaderPrefix: s.opts.HeaderPrefix, UserAgent: s.opts.UserAgent,
		Mailer: s.opts.SMTP,
	})
	if err != nil {
		return err
	}
	pools := memory.Divide(s.opts.Memory)
	fetcher, err := fetch.New(fetch.FetcherConfig{
		Client: client, Clock: s.opts.Clock, UserAgent: s.opts.UserAgent, MaxResponse: s.opts.Limits.Page,
		Memory: pools.Pages, Spool: s.opts.DataDir, Cursors: s.keys,
	})
	if err != nil {
		return err
	}
	budget := provider.NewRateBudget(s.db, s.opts.Clock, s.opts.Logger, s.opts.Limits.RateLimitWait)
	accounts := provider.NewFetcher(s.db, fetcher, budget, s.opts.Logger, s.metrics.Observe)
	tokens, err := oauth.New(oauth.ClientConfig{Transport: transport, UserAgent: s.opts.UserAgent})
	if err != nil {
		return err
	}
	s.grants = grant.New(grant.Config{DB: s.db, Client: tokens, Configs: accounts.Config, Clock: s.opts.Clock, Logger: s.opts.Logger, Act: accounts.RefreshByAction, Observe: s.metrics.Observe})
	accounts.RenewWith(s.grants.Renew)
	committers := 1
	if s.db.Postgres() != nil {
		committers = 4
	}
	conditions := expr.NewBudget(cmp.Or(s.opts.Limits.ConditionTime, conditionTime), s.opts.Clock)
	s.metrics.Conditions(conditions)
	s.receiver, err = provider.NewReceiver(inbound.Config{
		DB: s.db, Client: client, Clock: s.opts.Clock, Committers: committers, Memory: pools.Parsing, Budget: conditions, Observe: s.metrics.Observe,
	}, accounts)
	if err != nil {
		return err
	}
	handlers, err := s.handlers(sender, accounts, tokens, conditions)
	if err != nil {
		return err
	}
	handlers[millrace.TaskInbound] = s.receiver.Handle
	for kind, handle := range handlers {
		handlers[kind] = onBehalf(handle)
	}
	cfg := queue.Config{DB: s.db, Logger: s.opts.Logger, Handlers: handlers, Percent: s.opts.Percent}
	if s.place != nil {
		cfg.Node, cfg.Previous, cfg.Keys = s.place.ID, s.place.Previous, s.storage.KeyNames()
	}
	if s.queue, err = queue.New(ctx, cfg); err != nil {
		return err
	}
	s.metrics.Shares(s.queue)
	s.metrics.Resealing(s.storage.Left)
	s.accepter = event.NewAccepter(s.db, committers)
	s.ticker = schedule.NewTicker(s.db, s.opts.Logger)
	return s.serve(sender, accounts, tokens, pools)
}

// serve makes the server of the API and of the connect page.
func (s *Server) serve(sender *deliver.Sender, accounts *provider.Fetcher, tokens *oauth.Client, pools memory.Pools) error {
	pages, err := page.New(connect.New(connect.Config{
		DB: s.db, Client: tokens, Configs: accounts.Config, Test: provider.NewConnector(provider.ConnectorConfig{Accounts: accounts, Clock: s.opts.Clock}).Test, Clock: s.opts.Clock, Logger: s.opts.Logger, PublicURL: s.publicURL,
	}), form.New(form.Config{
		DB: s.db, Proxy: provider.NewProxy(accounts), Configs: accounts.Config, Keys: s.keys, Clock: s.opts.Clock, Logger: s.opts.Logger,
	}), s.opts.Logger)
	if err != nil {
		return err
	}
	s.serveAPI(sender, accounts, pools, pages)
	return nil
}

// publicURL is the address of the server as browsers know it.
func (s *Server) publicURL() string {
	if s.opts.PublicURL != "" {
		return strings.TrimSuffix(s.opts.PublicURL, "/")
	}
	return "http://" + s.Addr()
}

// serveAPI makes the server of the API.
func (s *Server) serveAPI(sender *deliver.Sender, accounts *provider.Fetcher, pools memory.Pools, pages *page.Handler) {
	api := httpapi.New(httpapi.Config{
		DB: s.db, Accepter: s.accepter, Sender: sender, Logger: s.opts.Logger, Clock: s.opts.Clock,
		Proxy: provider.NewProxy(accounts), Renew: s.grants.Renew,
		Inbound: s.receiver, InboundLimit: s.opts.InboundLimit, InboundBytesLimit: s.opts.InboundBytes, InboundLimited: s.metrics.InboundLimited, Limits: s.environmentLimits,
		Memory: pools, Ready: s.ready, BlockReason: s.egress.BlockReason,
		TokenLimit: s.opts.TokenLimit, AccountLimit: s.opts.AccountLimit, Observe: s.metrics.Request,
	})
	s.http = &http.Server{
		Handler: trace.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if page.Serves(r.URL.Path) {
				pages.ServeHTTP(w, r)
				return
			}
			api.ServeHTTP(w, r)
		})),
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelDebug),
	}
}

// handlers are the hops of the data, in order.
func (s *Server) handlers(
	sender *deliver.Sender, accounts *provider.Fetcher, tokens *oauth.Client, conditions *expr.Budget,
) (map[millrace.TaskKind]queue.Handler, error) {
	health, err := deliver.NewHealth(deliver.HealthConfig{
		DB: s.db, Clock: s.opts.Clock, Logger: s.opts.Logger, Prolonged: s.opts.MaxFailure,
	})
	if err != nil {
		return nil, err
	}
	pump, err := deliver.NewPump(deliver.PumpConfig{DB: s.db, Sender: sender, Logger: s.opts.Logger, Health: health})
	if err != nil {
		return nil, err
	}
	limits := s.opts.Limits
	runs, err := syncjob.New(syncjob.Config{
		Observe: s.metrics.Observe,
		DB:      s.db, Clock: s.opts.Clock, Logger: s.opts.Logger,
		Fetcher: accounts, Destination: deliver.NewRunSender(s.db, sender, health, s.opts.Clock),
		FetchRetries: s.opts.FetchRetries, ParkRetries: s.opts.ParkRetries,
		MaxPages: limits.Pages, MaxRecursion: limits.Recursion, MaxRunTime: limits.RunTime,
		MaxAuthWait: limits.AuthWait,
		MaxDelivery: limits.Delivery, MaxSpool: limits.Spool,
	})
	if err != nil {
		return nil, err
	}
	return map[millrace.TaskKind]queue.Handler{
		millrace.TaskMatch: trigger.NewMatcher(trigger.MatcherConfig{
			DB: s.db, Clock: s.opts.Clock, Budget: conditions, FanOut: limits.FanOut, Observe: s.metrics.Observe,
		}).Match,
		millrace.TaskWorkflow:   workflow.NewRunner(s.db, conditions).Run,
		millrace.TaskConnect:    provider.NewConnector(provider.ConnectorConfig{Accounts: accounts, Clock: s.opts.Clock, Retries: s.opts.FetchRetries}).Handle,
		millrace.TaskSlice:      runs.Slice,
		millrace.TaskPump:       pump.Handle,
		millrace.TaskRefresh:    s.grants.Refresh,
		millrace.TaskDisconnect: disconnect.New(disconnect.Config{DB: s.db, Client: tokens, Clock: s.opts.Clock, Logger: s.opts.Logger}).Handle,
		millrace.TaskErase:      retention.NewEraser(s.db, s.opts.Clock, s.opts.Logger).Erase,
		millrace.TaskPrune:      retention.NewPruner(s.db, s.opts.Keep, s.opts.Clock, s.opts.Logger).Prune,
	}, nil
}

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

func databaseName(db *store.DB) string {
	if db.Postgres() != nil {
		return "postgres"
	}
	return "sqlite"
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
