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
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/connect"
	"github.com/millrace/millrace/internal/connect/page"
	"github.com/millrace/millrace/internal/dashboard"
	"github.com/millrace/millrace/internal/dashboard/door"
	"github.com/millrace/millrace/internal/deliver"
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
	"github.com/millrace/millrace/internal/people"
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
	proxy    *provider.LoggedProxy
	grants   *grant.Keeper
	people   *people.People
	door     *door.Door // nil: there is no identity provider
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
	return s.serve(sender, accounts, tokens, pools) //nolint:contextcheck // a form of the dashboard has the context of its request
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
	return s.serveAPI(sender, accounts, pools, pages)
}

// publicURL is the address of the server as browsers know it.
func (s *Server) publicURL() string {
	if s.opts.PublicURL != "" {
		return strings.TrimSuffix(s.opts.PublicURL, "/")
	}
	return "http://" + s.Addr()
}

// serveAPI makes the server of the API and of the dashboard.
func (s *Server) serveAPI(sender *deliver.Sender, accounts *provider.Fetcher, pools memory.Pools, pages *page.Handler) error {
	s.proxy = provider.NewLoggedProxy(accounts)
	api := httpapi.New(httpapi.Config{
		DB: s.db, Accepter: s.accepter, Sender: sender, Logger: s.opts.Logger, Clock: s.opts.Clock,
		Proxy: s.proxy, Renew: s.grants.Renew,
		Inbound: s.receiver, InboundLimit: s.opts.InboundLimit, InboundBytesLimit: s.opts.InboundBytes, InboundLimited: s.metrics.InboundLimited, Limits: s.environmentLimits,
		Memory: pools, Ready: s.ready, BlockReason: s.egress.BlockReason,
		TokenLimit: s.opts.TokenLimit, AccountLimit: s.opts.AccountLimit, Observe: s.metrics.Request,
	})
	board, err := s.board(api)
	if err != nil {
		return err
	}
	s.http = &http.Server{
		Handler: trace.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case page.Serves(r.URL.Path):
				pages.ServeHTTP(w, r)
			case dashboard.Serves(r.URL.Path):
				board.ServeHTTP(w, r)
			default:
				api.ServeHTTP(w, r)
			}
		})),
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelDebug),
	}
	s.http.RegisterOnShutdown(board.Stop)
	return nil
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
	connector := provider.NewConnector(provider.ConnectorConfig{Accounts: accounts, Clock: s.opts.Clock, Retries: s.opts.FetchRetries})
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
		millrace.TaskConnect:    connector.Handle,
		millrace.TaskAction:     connector.RunScheduled,
		millrace.TaskSlice:      runs.Slice,
		millrace.TaskPump:       pump.Handle,
		millrace.TaskRefresh:    s.grants.Refresh,
		millrace.TaskDisconnect: disconnect.New(disconnect.Config{DB: s.db, Client: tokens, Clock: s.opts.Clock, Logger: s.opts.Logger}).Handle,
		millrace.TaskRedeliver:  deliver.NewRedeliverer(s.db, s.opts.Clock).Handle,
		millrace.TaskErase:      retention.NewEraser(s.db, s.opts.Clock, s.opts.Logger).Erase,
		millrace.TaskPrune:      retention.NewPruner(s.db, s.opts.Keep, s.opts.Clock, s.opts.Logger).Prune,
	}, nil
}

func databaseName(db *store.DB) string {
	if db.Postgres() != nil {
		return "postgres"
	}
	return "sqlite"
}
