package httpapi

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/internal/store"
)

// DefaultMaxBody is how large a request body may be.
const DefaultMaxBody = 4 << 20

// Emitter stores events in a transaction that also changes what they are about.
type Emitter interface {
	EmitTx(ctx context.Context, tx *store.Tx, events ...*millrace.Event) error
}

// Accepter stores one event together with those of other callers, and returns when it is durable. When an event with
// the same idempotency key is there already, it sets the ID of that one.
type Accepter interface {
	Accept(ctx context.Context, event *millrace.Event) error
}

// Tester sends an event that did not happen to a webhook and says how the endpoint answered.
type Tester interface {
	Test(ctx context.Context, webhook *millrace.Webhook, event *millrace.Event) (status int, message string, ok bool)
}

// Starter makes sync job runs.
type Starter interface {
	// Prepare checks a request and returns the run that it asks for; findings are at paths below prefix.
	Prepare(ctx context.Context, env millrace.EnvironmentID, r *millrace.RunRequest, prefix string) (*millrace.SyncJobRun, error)
	// StartTx stores a prepared run and returns it as it is stored.
	StartTx(ctx context.Context, tx *store.Tx, prepared *millrace.SyncJobRun) (*millrace.SyncJobRun, error)
	// StopTx ends a run, unless it has ended, and returns it as it is then.
	StopTx(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID, id millrace.SyncJobRunID) (*millrace.SyncJobRun, error)
}

// Config is what the API needs.
type Config struct {
	DB       *store.DB
	Emitter  Emitter
	Accepter Accepter
	Tester   Tester
	Starter  Starter

	// ThirdParty serves the proxy API and the custom API. Nil: they are not available.
	ThirdParty ThirdParty
	// MergeConfig merges overrides over an integration's config. Nil: overrides are not looked at.
	MergeConfig func(config json.RawMessage, overrides ...json.RawMessage) json.RawMessage
	// TokenLimit and AccountLimit bound the requests in 10 seconds for each API token and, of the proxy API and the
	// custom API, for each account. 0: no limit.
	TokenLimit, AccountLimit int
	// Inbound takes what third parties send to us. Nil: there is nothing to send to.
	Inbound Inbound
	// InboundLimit bounds the requests of third parties in 10 seconds for each account or installation. 0: no limit.
	InboundLimit int
	// InboundBytesLimit does so for the bytes of their bodies.
	InboundBytesLimit int
	// InboundLimited is called with the limit that a request met; nil: it is not counted.
	InboundLimited func(unit string)

	// CheckResources finds what is wrong with a sync job's resources; the paths begin with resources. Nil: nothing.
	CheckResources func(resources json.RawMessage, version int64, argsSchema json.RawMessage) []millrace.Failure
	// WarnResources finds what is probably not meant in resources that are not wrong. Nil: nothing.
	WarnResources func(ctx context.Context, resources json.RawMessage, version int64, argsSchema json.RawMessage) []millrace.Failure
	// CheckIntegrationConfig finds what is wrong with an integration's config. Nil: nothing.
	CheckIntegrationConfig func(config json.RawMessage) error
	// Limits returns what an environment may take of what all share. Nil: nothing is known.
	Limits func(env millrace.EnvironmentID) EnvironmentLimits
	// Ready says why the server cannot do its work. Nil: only the database is asked.
	Ready func(ctx context.Context) error

	Observe func(route string, status int, took time.Duration) // told of each request; nil: nobody is
	Logger  *slog.Logger                                       // nil: nothing is logged
	Clock   func() time.Time                                   // nil: time.Now
	MaxBody int64                                              // 0: DefaultMaxBody
	Memory  memory.Pools                                       // what all requests may take at once
}

// api is the handler of the whole API.
type api struct {
	cfg      Config
	mux      *http.ServeMux
	huma     huma.API
	registry huma.Registry
	tokens   *tokens

	tokenLimit, accountLimit, inboundLimit, inboundBytes *limit

	access   map[string]access // by route
	paths    []string
	openJSON func() ([]byte, error) // rendered when they are first asked for: it takes longer than the rest of a start
	openYAML func() ([]byte, error)
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
	a := &api{cfg: cfg, mux: http.NewServeMux(), access: map[string]access{}}
	a.huma = newHuma(a.mux)
	a.registry = a.huma.OpenAPI().Components.Schemas
	a.tokens = &tokens{db: cfg.DB, clock: cfg.Clock, known: map[string]knownToken{}}
	a.tokenLimit = newLimit("API token", cfg.TokenLimit, cfg.Clock)
	a.accountLimit = newLimit("integrated account", cfg.AccountLimit, cfg.Clock)
	a.inboundLimit = newLimit("account or installation", cfg.InboundLimit, cfg.Clock)
	a.inboundBytes = newByteLimit("account or installation", cfg.InboundBytesLimit, cfg.Clock)
	a.routes()
	a.complete()
	return a
}

func (a *api) now() millrace.Time { return millrace.TimeOf(a.cfg.Clock()) }
