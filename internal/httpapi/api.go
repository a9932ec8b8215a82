package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/deliver"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/httpapi/proxy"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/inbound"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/internal/provider"
	"github.com/millrace/millrace/internal/store"
)

// DefaultMaxBody is how large a request body may be.
const DefaultMaxBody = 4 << 20

// Config is what the API needs.
type Config struct {
	DB       *store.DB
	Accepter *event.Accepter
	Sender   *deliver.Sender // sends test events

	// Renew gets accounts new tokens.
	Renew provider.Renew
	// Proxy makes the calls of the proxy API and the custom API. Nil: they are not available.
	Proxy proxy.Caller
	// TokenLimit and AccountLimit bound the requests in 10 seconds for each API token and, of the proxy API and the
	// custom API, for each account. 0: no limit.
	TokenLimit, AccountLimit int
	// Inbound takes what providers send to us. Nil: there is nothing to send to.
	Inbound *inbound.Receiver
	// InboundLimit bounds the requests of providers in 10 seconds for each account or installation. 0: no limit.
	InboundLimit int
	// InboundBytesLimit does so for the bytes of their bodies.
	InboundBytesLimit int
	// InboundLimited is called with the limit that a request met; nil: it is not counted.
	InboundLimited func(unit string)

	// BlockReason says why requests to a host are blocked; empty: they are not. Nil: not known.
	BlockReason func(host string) string
	// Limits returns what an environment may take of what all share. Nil: nothing is known.
	Limits func(env millrace.EnvironmentID) EnvironmentLimits
	// Ready says why the server cannot do its work. Nil: only the database is asked.
	Ready func(ctx context.Context) error

	Observe func(route string, status int, took time.Duration) // receives each request; may be nil
	Logger  *slog.Logger                                       // nil: nothing is logged
	Clock   func() time.Time                                   // nil: time.Now
	MaxBody int64                                              // 0: DefaultMaxBody
	Memory  memory.Pools                                       // what all requests may take at once
}

// api is the whole API.
type api struct {
	cfg    Config
	router *rest.Router
}

// New returns the handler of the API.
func New(cfg Config) http.Handler {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now //nolint:forbidigo // the default of the injected clock
	}
	if cfg.MaxBody <= 0 {
		cfg.MaxBody = DefaultMaxBody
	}
	if cfg.DB != nil {
		cfg.DB.SetShown(account.Recorded)
	}
	a := &api{cfg: cfg, router: rest.New(rest.Config{
		DB: cfg.DB, TokenLimit: cfg.TokenLimit, MethodNote: methodNote, Unserved: missingFeature,
		Observe: cfg.Observe, Logger: cfg.Logger, Clock: cfg.Clock, MaxBody: cfg.MaxBody, Memory: cfg.Memory,
	})}
	a.routes()
	a.router.Complete()
	return a.router
}
