package fetch

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/netfault"
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
	Timeout     time.Duration    // for one request with its answer; 0: DefaultTimeout
	MaxResponse int64            // bytes of an answer after unpacking; 0: DefaultMaxResponse
	UserAgent   string           // empty: truto
}

// Fetcher makes requests to third parties. It keeps no state and may be used by any number of goroutines.
type Fetcher struct {
	http        *http.Client
	clock       func() time.Time
	timeout     time.Duration
	maxResponse int64
	userAgent   string
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
	}
	if f.clock == nil {
		f.clock = time.Now //nolint:forbidigo // the default of the injected clock
	}
	return f, nil
}

// Request names a method of an integration and what to call it with.
type Request struct {
	Integration *Config
	Resource    string
	Method      string
	Custom      *Method // instead of Resource and Method
	Path        string  // escaped, below the base URL: instead of the path of Custom, which then has none

	Context              map[string]any // the account's, with its credentials
	Secrets              *Secrets       // of Context, as [Config.Secrets] finds them; nil: they are found out
	Echoes               bool           // look for secrets in the data of the answer in every encoding
	EnvironmentVariables map[string]any // over those of the config

	ID      string
	Query   *expr.Object // forwarded to the third party
	Body    expr.Value
	RawBody []byte       // Body as JSON; sent as it is when the config leaves the body alone
	Scope   *expr.Object // further roots of placeholders, over the members of the context
	Headers http.Header  // over those of the config; credentials win over them
	Cursor  string       // NextCursor or PrevCursor of an earlier outcome; empty: the first page
	Limit   int          // page size; 0: what the config or the API prefers
}

// Fetch makes one request. It returns an error when we failed: of KindInvalid when the config, the account's context or
// the request is at fault, and the context's error when ctx ended. What the third party answers is an outcome. With an
// error, the outcome has a request line if the request may have reached the third party.
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

// send makes the request and reads the answer.
func (c *call) send(ctx context.Context, out *outgoing, req *http.Request) (Outcome, error) {
	limited, cancel := context.WithTimeoutCause(ctx, c.fetcher.timeout, errTimeout)
	defer cancel()
	in, err := c.exchange(req.WithContext(limited), out)
	var unusable *remoteError
	switch {
	case err == nil:
		outcome, err := c.interpret(ctx, out, in)
		if errors.As(err, &unusable) {
			return c.unusable(in, unusable), nil
		}
		return outcome, err
	case ctx.Err() != nil:
		return Outcome{}, context.Cause(ctx)
	case errors.As(err, &unusable):
		return c.unusable(in, unusable), nil
	}
	message := netfault.Message(err)
	if cause := context.Cause(limited); cause != nil {
		message, err = fmt.Sprintf("%v after %s", cause, c.fetcher.timeout), cause
	}
	return Outcome{Kind: KindNetworkError, ErrorClass: classify(err), Message: c.secrets.say(message, maxMessage)}, nil
}

// exchange sends a request and reads the answer to its end or to the limit.
func (c *call) exchange(req *http.Request, out *outgoing) (*incoming, error) {
	resp, err := c.fetcher.client(c, out).Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	in := &incoming{status: resp.StatusCode, header: resp.Header}
	limit := c.fetcher.maxResponse
	var buf bytes.Buffer
	if n := resp.ContentLength; n > 0 {
		buf.Grow(int(min(n, limit, 1<<20)) + bytes.MinRead) // a claim is not worth more memory than that
	}
	// The transport unpacks gzip, so this also bounds what a small packed answer may become.
	n, err := buf.ReadFrom(io.LimitReader(resp.Body, limit+1))
	in.raw = buf.Bytes()
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if n > limit {
		in.raw = in.raw[:limit]
		return in, &remoteError{message: fmt.Sprintf("the answer is larger than %d bytes", limit), class: "too_large"}
	}
	return in, nil
}

// remote returns an error that becomes a remote_error outcome.
func (c *call) remote(format string, args ...any) error {
	return &remoteError{message: fmt.Sprintf(format, args...), class: "unusable"}
}

func (c *call) unusable(in *incoming, err *remoteError) Outcome {
	o := c.outcome(KindRemoteError, in)
	o.Message, o.ErrorClass = c.secrets.say(err.message, maxMessage), err.class
	return c.withRaw(o, in)
}
