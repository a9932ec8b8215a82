package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"

	"github.com/millrace/millrace/internal/egress"
)

// maxRedirects is how many hops a request may take.
const maxRedirects = 10

var (
	errTimeout  = errors.New("no answer in time")
	errRedirect = errors.New("the redirect cannot be followed")
)

// remoteError is an answer that cannot be used. It becomes an outcome.
type remoteError struct {
	message string
	class   string
}

func (e *remoteError) Error() string { return e.message }

// classify names the reason why there is no answer.
func classify(err error) string {
	var (
		blocked interface{ Blocked() bool }
		dns     *net.DNSError
		timeout net.Error
	)
	switch {
	case errors.As(err, &blocked) && blocked.Blocked():
		return "blocked"
	case errors.Is(err, errRedirect):
		return "redirect"
	case errors.Is(err, errTimeout), errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.As(err, &dns):
		return "dns"
	case egress.IsTLS(err):
		return "tls"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "reset"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	}
	return "protocol" // what came is no HTTP, or not all of it
}

// causeOf drops the URL that net/http puts into its errors.
func causeOf(err error) error {
	var wrapped *url.Error
	for errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return err
}

// client returns an HTTP client that treats redirects as the method wants.
func (f *Fetcher) client(c *call, out *outgoing) *http.Client {
	client := *f.http
	client.Jar = nil // accounts must not share cookies
	client.Timeout = 0
	client.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if len(via) >= maxRedirects {
			return fmt.Errorf("%w: more than %d hops", errRedirect, maxRedirects)
		}
		if req.URL.Scheme != "https" && req.URL.Scheme != "http" {
			return fmt.Errorf("%w: its scheme is %s", errRedirect, req.URL.Scheme)
		}
		// It would tell the next host the query of the last one.
		req.Header.Del("Referer")
		return c.authorizeHop(req, via[0], out)
	}
	return &client
}

// authorizeHop keeps the credentials on the host they are for. Configs may let them travel to other hosts, though
// never from https to http. A body with a credential in it does not travel without them.
func (c *call) authorizeHop(req, first *http.Request, out *outgoing) error {
	downgrade := first.URL.Scheme == "https" && req.URL.Scheme == "http"
	if !downgrade && (c.m.keepOnRedirect || sameHost(req.URL, first.URL)) {
		for _, name := range out.credentials {
			req.Header.Set(name, out.headers.Get(name))
		}
		return nil
	}
	for _, name := range out.credentials {
		req.Header.Del(name)
	}
	if req.Body == nil || first.GetBody == nil {
		return nil
	}
	body, err := first.GetBody()
	if err != nil {
		return fmt.Errorf("%w: %w", errRedirect, err)
	}
	data, err := io.ReadAll(body)
	if err != nil || c.secrets.hides(string(data)) {
		return fmt.Errorf("%w: it would send a credential in the body to another host", errRedirect)
	}
	return nil
}
