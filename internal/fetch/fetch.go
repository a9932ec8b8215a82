package fetch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/millrace/millrace/internal/egress"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/fetch/page"
	"github.com/millrace/millrace/internal/fetch/wire"
	"github.com/millrace/millrace/internal/memory"
)

// Defaults of [FetcherConfig].
const (
	DefaultTimeout     = 20 * time.Second
	DefaultMaxResponse = 32 << 20
)

// FetcherConfig configures a Fetcher. Client is required: it carries the guarded transport.
type FetcherConfig struct {
	Client      *http.Client
	Clock       func() time.Time // nil: time.Now
	Timeout     time.Duration    // for one request with its response; 0: DefaultTimeout
	MaxResponse int64            // bytes of a response after unpacking; 0: DefaultMaxResponse
	UserAgent   string           // empty: truto
	Memory      *memory.Budget   // what the responses of all calls may take together; nil: any number of bytes
	Spool       string           // where long responses wait in files that have no name; empty: the system's own place
	Cursors     page.Sealer      // of cursors that contain secrets; nil: a page with such a cursor is an error
}

// Fetcher makes requests to providers. It keeps no state and may be used by any number of goroutines.
type Fetcher struct {
	http        *http.Client
	clock       func() time.Time
	timeout     time.Duration
	maxResponse int64
	userAgent   string
	memory      *memory.Budget
	spool       string
	cursors     page.Sealer
}

// New returns a Fetcher.
func New(cfg FetcherConfig) (*Fetcher, error) {
	if cfg.Client == nil {
		return nil, errors.New("fetch: a client is required")
	}
	f := &Fetcher{
		http:        cfg.Client,
		clock:       cfg.Clock,
		timeout:     cmp.Or(cfg.Timeout, DefaultTimeout),
		maxResponse: cmp.Or(cfg.MaxResponse, DefaultMaxResponse),
		userAgent:   cmp.Or(cfg.UserAgent, "truto"),
		memory:      cfg.Memory, spool: cfg.Spool, cursors: cfg.Cursors,
	}
	if f.clock == nil {
		f.clock = time.Now //nolint:forbidigo // the default of the injected clock
	}
	return f, nil
}

// Request names a method of an integration and what to call it with.
type Request struct {
	Owner       string        // the environment: whose memory the response takes, and whose sealed cursors open
	Patience    time.Duration // how long it may wait for memory, for a caller that holds some already; 0: as long as it takes
	Integration *config.Config
	Resource    string
	Method      string
	Custom      *config.Method // instead of Resource and Method
	Path        string         // escaped, below the base URL: instead of the path of Custom, which then has none

	Context              map[string]any     // the account's, with its credentials
	Credential           *config.Credential // of the account; nil: as if its format had nothing of its own
	Secrets              *Secrets           // of Context, as [Config.Secrets] finds them; nil: they are found out
	Echoes               bool               // look for secrets in the data of the response in every encoding
	EnvironmentVariables map[string]any     // over those of the config

	ID      string
	Query   *expr.Object // forwarded to the provider
	Body    expr.Value
	RawBody []byte       // Body as JSON; sent unchanged when the config leaves the body alone
	Scope   *expr.Object // further roots of placeholders, over the members of the context
	Headers http.Header  // over those of the config; credentials win over them
	Cursor  string       // NextCursor or PrevCursor of an earlier outcome; empty: the first page
	Limit   int          // page size; 0: what the config or the API prefers
}

// Fetch makes one request. When memory is scarce it waits before it decodes the response. The outcome of a page has a lease
// on what it takes, which the caller releases. It returns an error when we failed: of KindInvalid when the config, the account's context or
// the request is at fault, and the context's error when ctx ended. A response of the provider is an outcome. With an
// error, the outcome has a request line if the request may have reached the provider.
func (f *Fetcher) Fetch(ctx context.Context, req Request) (Outcome, error) {
	c, err := f.newCall(req)
	if err != nil {
		return Outcome{}, err
	}
	out, err := c.build(ctx)
	if err != nil {
		return Outcome{}, c.clean(err)
	}
	sent, err := c.httpRequest(ctx, out)
	if err == nil {
		err = c.chooseTransport()
	}
	if err != nil {
		return Outcome{}, c.clean(err)
	}
	started := f.clock()
	outcome, err := c.send(ctx, out, sent)
	outcome.RequestLine = c.requestLine(out)
	outcome.Duration = f.clock().Sub(started)
	if err != nil {
		return Outcome{RequestLine: outcome.RequestLine, Duration: outcome.Duration}, c.clean(err)
	}
	return outcome, nil
}

// send makes the request and reads the response.
func (c *call) send(ctx context.Context, out *wire.Request, req *http.Request) (Outcome, error) {
	limited, cancel := context.WithTimeoutCause(ctx, c.fetcher.timeout, errTimeout)
	defer cancel()
	in := &wire.Response{}
	p := &spool{dir: c.fetcher.spool, most: c.fetcher.maxResponse}
	defer p.close()
	err := c.exchange(req.WithContext(limited), out, in, p)
	var unusable *wire.UnusableError
	switch {
	case err == nil:
		return c.use(ctx, out, in, p)
	case ctx.Err() != nil:
		return Outcome{}, context.Cause(ctx)
	case errors.As(err, &unusable):
		in.Raw = p.beginning()
		return c.unusable(in, unusable), nil
	case errors.Is(err, errSpool):
		return Outcome{}, err // ours, and not the provider's
	}
	message := egress.Message(err)
	if cause := context.Cause(limited); cause != nil {
		message, err = fmt.Sprintf("%v after %s", cause, c.fetcher.timeout), cause
	}
	return Outcome{Kind: KindNetworkError, ErrorClass: classOf(err), Message: c.secrets.say(message, maxMessage)}, nil
}

// exchange sends a request and reads the response to its end or to the limit.
func (c *call) exchange(req *http.Request, out *wire.Request, in *wire.Response, p *spool) error {
	resp, err := c.fetcher.client(c, out).Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	in.Status, in.Header = resp.StatusCode, resp.Header
	if c.decodes(resp.Header) {
		p.maxDecoded = memory.MaxDecoded(p.most)
	}
	// The transport unpacks gzip, so the bounds are also those of what a small packed response becomes.
	if _, err := p.ReadFrom(resp.Body); err != nil {
		return fmt.Errorf("read the response: %w", err)
	}
	return nil
}

// use decodes and interprets a response that has come.
func (c *call) use(ctx context.Context, out *wire.Request, in *wire.Response, p *spool) (Outcome, error) {
	var lease *memory.Lease
	var err error
	if in.Raw, lease, err = p.load(ctx, c.fetcher.memory, &c.req); err != nil {
		return Outcome{}, err
	}
	outcome, err := c.interpret(ctx, out, in)
	if unusable, ok := errors.AsType[*wire.UnusableError](err); ok {
		outcome, err = c.unusable(in, unusable), nil
	}
	if err != nil {
		lease.Release()
	}
	outcome.Lease = lease
	return outcome, err
}

func (c *call) unusable(in *wire.Response, err *wire.UnusableError) Outcome {
	o := c.outcome(KindRemoteError, in)
	o.Message, o.ErrorClass = c.secrets.say(err.Message, maxMessage), err.Class
	return c.withRaw(o, in)
}
