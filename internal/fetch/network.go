package fetch

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/millrace/millrace/internal/egress"
	"github.com/millrace/millrace/internal/fetch/wire"
)

// maxRedirects is how many hops a request may take.
const maxRedirects = 10

var (
	errTimeout  = errors.New("no response in time")
	errRedirect = errors.New("the redirect cannot be followed")
)

// classOf names the reason why there is no usable response.
func classOf(err error) string {
	switch {
	case errors.Is(err, errRedirect):
		return classRedirect
	case errors.Is(err, errTimeout):
		return egress.ClassTimeout
	}
	return egress.Class(err)
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
func (f *Fetcher) client(c *call, out *wire.Request) *http.Client {
	client := *f.http
	client.Transport = egress.Gated(c.transport)
	client.Jar = nil // accounts must not share cookies
	client.Timeout = 0
	client.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if len(via) >= maxRedirects {
			return fmt.Errorf("%w: more than %d hops", errRedirect, maxRedirects)
		}
		if c.signed {
			return fmt.Errorf("%w: it would need another signature", errRedirect)
		}
		if c.certified && !wire.SameHost(req.URL, via[0].URL) {
			return fmt.Errorf("%w: it would show the client certificate to another host", errRedirect)
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
func (c *call) authorizeHop(req, first *http.Request, out *wire.Request) error {
	downgrade := first.URL.Scheme == "https" && req.URL.Scheme == "http"
	if !downgrade && (c.m.KeepOnRedirect || wire.SameHost(req.URL, first.URL)) {
		for _, name := range out.Credentials {
			req.Header.Set(name, out.Headers.Get(name))
		}
		return nil
	}
	for _, name := range out.Credentials {
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
