package oauth

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/internal/egress"
	"github.com/millrace/millrace/internal/sign"
)

// Bounds of a request to a token endpoint.
const (
	DefaultTimeout = 30 * time.Second
	maxResponse    = 1 << 20
)

// ClientConfig configures a Client. Transport is required: it is the guarded one.
type ClientConfig struct {
	Transport *http.Transport
	Timeout   time.Duration // for a request with its response; 0: DefaultTimeout
	UserAgent string        // empty: truto
}

// Client sends requests to token endpoints. It may be used by any number of goroutines.
type Client struct {
	transport *http.Transport
	timeout   time.Duration
	userAgent string
}

// New returns a Client. It does not change the transport.
func New(cfg ClientConfig) (*Client, error) {
	if cfg.Transport == nil {
		return nil, errors.New("oauth: a transport is required")
	}
	t := cfg.Transport.Clone()
	// A connection that was used before may be closed while a request is on its way. A transport repeats such a request, or cannot say
	// whether it was sent.
	t.DisableKeepAlives = true
	return &Client{transport: t, timeout: cmp.Or(cfg.Timeout, DefaultTimeout), userAgent: cmp.Or(cfg.UserAgent, "truto")}, nil
}

// Response is the response of a token endpoint as it came. All of it is secret; it is stored sealed before it is read.
type Response struct {
	Status int               `json:"status"`
	Header map[string]string `json:"header,omitempty"` // Content-Type, Date, Retry-After, and the one that the config says is the token
	Body   []byte            `json:"body,omitempty"`
	Sent   []string          `json:"sent,omitempty"` // secrets of the request, which the response may repeat
}

// String keeps what is secret out of logs and errors.
func (r Response) String() string { return fmt.Sprintf("a response with status %d", r.Status) }

// GoString does the same for %#v.
func (r Response) GoString() string { return r.String() }

// SendError says why there is no response. It has no secrets in it.
type SendError struct {
	Message string
	unsent  bool
	cause   error
}

// Error returns the message.
func (e *SendError) Error() string { return e.Message }

// Unwrap returns the end of the context, when that was the reason.
func (e *SendError) Unwrap() error { return e.cause }

// Unsent reports whether the error of [Client.Send] came before anything was sent: the provider has certainly not got the request.
func Unsent(err error) bool {
	e, ok := errors.AsType[*SendError](err)
	return ok && e.unsent
}

var errTimeout = errors.New("no response in time")

// Send makes one attempt. It follows no redirect. The error is a [*SendError]; unless [Unsent] says otherwise, the provider may have got
// the request and acted on it.
func (c *Client) Send(ctx context.Context, r *Request) (Response, error) {
	limited, cancel := context.WithTimeoutCause(ctx, c.timeout, errTimeout)
	defer cancel()
	var connected atomic.Bool
	traced := httptrace.WithClientTrace(limited, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	response, err := c.send(traced, r)
	if err == nil {
		return response, nil
	}
	e := &SendError{Message: say(egress.Message(err), r.secrets), unsent: !connected.Load()}
	switch {
	case ctx.Err() != nil:
		e.Message, e.cause = "the request was given up", context.Cause(ctx)
	case limited.Err() != nil:
		e.Message = fmt.Sprintf("%v after %s", errTimeout, c.timeout)
	}
	return Response{}, e
}

func (c *Client) send(ctx context.Context, r *Request) (Response, error) {
	req, err := http.NewRequestWithContext(ctx, r.verb, r.url.String(), bytes.NewReader(r.body))
	if err != nil {
		return Response{}, err
	}
	req.GetBody = nil // so that nothing can send it again
	transport := c.transport
	if r.certificate != nil {
		transport = sign.WithCertificate(c.transport, *r.certificate)
	}
	client := http.Client{Transport: egress.Gated(transport), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req.Header = r.header.Clone()
	req.Header.Set("User-Agent", c.userAgent)
	resp, err := client.Do(req)
	if err != nil {
		return Response{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	switch {
	case len(body) > maxResponse:
		return Response{}, fmt.Errorf("the response is larger than %d KiB", maxResponse>>10)
	case err != nil && !json.Valid(body): // what is complete is used: it may have the only copy of a token
		return Response{}, fmt.Errorf("read the response: %w", err)
	}
	out := Response{Status: resp.StatusCode, Header: map[string]string{}, Body: body, Sent: r.secrets}
	for _, name := range []string{"Content-Type", "Date", "Retry-After", http.CanonicalHeaderKey(r.keep)} {
		if value := resp.Header.Get(name); value != "" {
			out.Header[name] = value
		}
	}
	return out, nil
}
