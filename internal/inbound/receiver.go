package inbound

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/internal/observe"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/trace"
)

const (
	signaturePath = "config.webhook.signature_verification"
	handlePath    = "config.webhook.handle_verification"
	transformPath = "config.webhook.payload_transform"
)

// Bounds of one request, which anyone who reaches the server can make: how large it may be for handle_verification to
// look at it before it is stored (handshakes are small; a larger one is evaluated by its task like any payload), how many
// values a body may have for expressions to look at it at all, and how long a request waits for memory.
const (
	maxHandshake       = 256 << 10
	maxHandshakeValues = 10_000
	maxHookValues      = 250_000
	patience           = 5 * time.Second
)

// maxEvaluations bounds how many requests evaluate expressions at once: everyone who reaches the server can cause that.
const maxEvaluations = 8

// Endpoint is an account, or an installation, that hooks are for.
type Endpoint struct {
	EnvironmentID   millrace.EnvironmentID
	InstallID       millrace.EnvironmentIntegrationID
	AccountID       millrace.IntegratedAccountID // empty: an installation
	TenantID        string
	IntegrationID   millrace.IntegrationID
	IntegrationName string
	Closed          string // why it takes no hooks; empty: it does

	Transform, Handle *expr.Program
	LookupField       string // how hooks of an installation find their account: a member of its context
	LookupValue       string // must be this, a text with placeholders over body, headers and query
	Signature         *millrace.HookSignature
	Credentials       []string // parts of a request that only the check of the signature sees: $header.<name>, $query.<name>
	SignatureErr      error    // why there is no signature although the config wants one
}

// Directory finds endpoints. Its errors are of KindNotFound for what does not exist. Without an environment, an id stands for
// the one that may be addressed by its id alone.
type Directory interface {
	Account(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID) (*Endpoint, error)
	Install(ctx context.Context, env millrace.EnvironmentID, id millrace.EnvironmentIntegrationID) (*Endpoint, error)
	// Matching returns the accounts of an installation whose context has a value, at most a hundred.
	Matching(ctx context.Context, install *Endpoint, field, value string) ([]*Endpoint, error)
}

// Contexts changes the contexts of accounts.
type Contexts interface {
	// MergeTx merges a patch into an account's context and reports whether that changed it.
	MergeTx(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID, id millrace.IntegratedAccountID, patch json.RawMessage) (bool, error)
}

// Config is what a receiver needs; all of it but Committers and Budget is required.
type Config struct {
	DB          *store.DB
	Directory   Directory
	Contexts    Contexts
	DecodeBody  func(contentType string, raw []byte) expr.Value
	DecodeQuery func(raw string) expr.Value
	Client      *http.Client // for the keys of providers
	Clock       func() time.Time
	Observe     observe.Observer // receives the outcomes of requests; may be nil
	Committers  int              // how many commits there are at once; 0: one
	Memory      *memory.Budget   // what requests may take while expressions look at them; nil: any number of bytes
	Budget      *expr.Budget     // of time, for the expressions of hooks that were accepted; nil: any share of it
}

// Receiver takes requests of providers and evaluates them.
type Receiver struct {
	cfg      Config
	verifier *verifier
	traces   *traces
	slots    chan struct{}
	group    *store.Group[*pending]
}

// New returns a receiver.
func New(cfg Config) (*Receiver, error) {
	if cfg.DB == nil || cfg.Directory == nil || cfg.Contexts == nil || cfg.DecodeBody == nil ||
		cfg.DecodeQuery == nil || cfg.Client == nil || cfg.Clock == nil {
		return nil, errors.New("inbound: the config is not complete")
	}
	r := &Receiver{
		cfg: cfg, verifier: &verifier{clock: cfg.Clock, keys: newKeySets(cfg.Client, cfg.Clock)},
		traces: newTraces(cfg.Clock), slots: make(chan struct{}, maxEvaluations),
	}
	r.group = store.NewSizedGroup(r.commit, cfg.Committers, func(p *pending) int { return len(p.hook.Body) })
	return r, nil
}

// Stop commits what has been handed over and ends.
func (r *Receiver) Stop() { r.group.Stop() }

// Receive returns the response to a request once what it brings is durable. It returns errors of KindNotFound for an account that does
// not exist, KindUnauthorized for a request that proves nothing, KindTooLarge for one with too many values, KindReadOnly for what is neither a POST nor a
// handshake, and KindUnavailable when the keys of the provider cannot be read.
func (r *Receiver) Receive(ctx context.Context, req *millrace.InboundRequest) (*millrace.InboundResponse, error) {
	endpoint, err := r.endpoint(ctx, req)
	if err != nil {
		return nil, err
	}
	in := &arrival{r: r, req: req, endpoint: endpoint, hook: newHook(endpoint, req)}
	in.hook.Traceparent = trace.From(ctx)
	if endpoint.Closed != "" {
		err := in.reject(ctx, millrace.Failure{Message: endpoint.Closed})
		return nil, errors.Join(err, millrace.NotFound("object", string(req.AccountID)+string(req.InstallID)))
	}
	if response, err := in.handshake(ctx); response != nil || err != nil {
		return response, err
	}
	if req.Method != http.MethodPost {
		return nil, millrace.Errorf(millrace.KindReadOnly, "no request but POST is accepted unless handle_verification returns a response")
	}
	return in.accept(ctx)
}

func (r *Receiver) endpoint(ctx context.Context, req *millrace.InboundRequest) (*Endpoint, error) {
	if req.AccountID != "" {
		return r.cfg.Directory.Account(ctx, req.EnvironmentID, req.AccountID)
	}
	return r.cfg.Directory.Install(ctx, req.EnvironmentID, req.InstallID)
}

// newHook is the row of a request.
func newHook(e *Endpoint, req *millrace.InboundRequest) *millrace.InboundHook {
	seen := make(map[string]string, len(req.Header))
	for name, value := range req.Header {
		if !e.proves("$header." + name) {
			seen[name] = value
		}
	}
	header, _ := json.Marshal(seen) // texts always encode
	return &millrace.InboundHook{
		ID: millrace.NewID[millrace.InboundHookID](), EnvironmentID: e.EnvironmentID, EnvironmentIntegrationID: e.InstallID,
		IntegratedAccountID: e.AccountID, AccountIDs: accountIDs(e), Status: millrace.InboundAccepted,
		Method: req.Method, ContentType: req.ContentType, Size: int64(len(req.Body)),
		Header: header, Query: e.bareQuery(req.Query), Body: req.Body, EventIDs: json.RawMessage("[]"),
	}
}

func accountIDs(accounts ...*Endpoint) json.RawMessage {
	ids := []millrace.IntegratedAccountID{}
	for _, a := range accounts {
		if a.AccountID != "" {
			ids = append(ids, a.AccountID)
		}
	}
	raw, _ := json.Marshal(ids) // texts always encode
	return raw
}
