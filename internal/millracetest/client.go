package millracetest

import (
	"context"
	"net/http"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/client"
)

// Client calls the API as a customer would, and says more of the responses than a customer wants to know.
type Client struct {
	*client.Client
	Environment millrace.EnvironmentID
}

const (
	// callTimeout is short, because a node that is paused does not reject connections.
	callTimeout = 5 * time.Second
	// patience is for a server in the process of the test, which is never paused: what comes late there is a busy machine.
	patience = time.Minute
)

// NewClient returns a client of the first environment of the server at base.
func NewClient(base, token string) *Client {
	return &Client{Client: &client.Client{
		Base: base, Token: token,
		HTTP: &http.Client{Timeout: callTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: 16}},
	}, Environment: millrace.FirstEnvironmentID()}
}

// Call sends a body and returns the status and the body of any response. An error means that
// there is no whole response, which says nothing about what the server has done.
func (c *Client) Call(ctx context.Context, method, path, contentType string, body []byte) (int, []byte, error) {
	return do(ctx, c.Client, request(method, path, contentType, body))
}

// CallAs is Call without the API token, and with headers of the caller's own.
func (c *Client) CallAs(ctx context.Context, method, path string, header http.Header, body []byte) (int, []byte, error) {
	anonymous := &client.Client{Base: c.Base, HTTP: c.HTTP}
	return do(ctx, anonymous, &client.Request{Method: method, Path: path, Header: header, Body: body})
}

func do(ctx context.Context, c *client.Client, r *client.Request) (int, []byte, error) {
	resp, err := c.Do(ctx, r)
	if err != nil {
		return 0, nil, err
	}
	return resp.Status, resp.Body, nil
}

// Send sends a body of that content type and decodes the response into out, unless that is nil.
func (c *Client) Send(ctx context.Context, method, path, contentType string, body []byte, out any) error {
	return c.Client.Send(ctx, request(method, path, contentType, body), out)
}

func request(method, path, contentType string, body []byte) *client.Request {
	r := &client.Request{Method: method, Path: path, Body: body}
	if contentType != "" {
		r.Header = http.Header{"Content-Type": {contentType}}
	}
	return r
}

// List returns what a list holds, all pages of it.
func (c *Client) List(ctx context.Context, path string) ([]map[string]any, error) {
	var all []map[string]any
	for row, err := range client.All[map[string]any](ctx, c.Client, path) {
		if err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	return all, nil
}
