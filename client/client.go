// Package client calls the HTTP API of a Millrace server.
//
//	c := &client.Client{Base: "http://127.0.0.1:8080", Token: token}
//	var run struct{ ID, Status string }
//	err := c.Post(ctx, "/sync-job-run", map[string]any{"sync_job_id": job}, &run)
//	if e, ok := errors.AsType[*client.Error](err); ok && e.Status == http.StatusBadRequest {
//		for _, f := range e.Failures { ... } // path, line, column, code, message, suggestion
//	}
//
// A response that is not a success is an [*Error]. Any other error means that there was no whole response, which says
// nothing about what the server has done: a request that must not happen twice carries an id or an idempotency key, and is
// sent again. The client repeats nothing by itself.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Client calls the API in the environment of a token. Its fields are not changed once it is in use; it may then be used by
// many goroutines.
type Client struct {
	Base  string       // address of the server, without a slash at its end
	Token string       // API token
	HTTP  *http.Client // nil: one that waits half a minute for a response
}

// waiting is the client of those who name none.
var waiting = &http.Client{Timeout: 30 * time.Second} //nolint:gochecknoglobals // it is never changed, and keeps its connections

// maxBody bounds what is read of a response. No response of the API comes near.
const maxBody = 64 << 20

// Request is one call of the API.
type Request struct {
	Method string
	Path   string // with its query, behind the address
	Body   []byte
	Header http.Header // beside the authorization: the Content-Type of a body, an Idempotency-Key
}

// Response is what the server said, whatever its status.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do makes a request and returns the response unchanged. An error means that there is no complete response.
func (c *Client) Do(ctx context.Context, r *Request) (*Response, error) {
	req, err := http.NewRequestWithContext(ctx, r.Method, c.Base+r.Path, bytes.NewReader(r.Body))
	if err != nil {
		return nil, err
	}
	if r.Header != nil {
		req.Header = r.Header.Clone()
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	caller := c.HTTP
	if caller == nil {
		caller = waiting
	}
	resp, err := caller.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("%s %s: read the response: %w", r.Method, withoutQuery(r.Path), err)
	}
	if len(body) > maxBody {
		return nil, fmt.Errorf("%s %s: the response is larger than %d bytes", r.Method, withoutQuery(r.Path), maxBody)
	}
	return &Response{Status: resp.StatusCode, Header: resp.Header, Body: body}, nil
}

// Send makes a request and decodes the response into out, unless that is nil.
func (c *Client) Send(ctx context.Context, r *Request, out any) error {
	resp, err := c.Do(ctx, r)
	if err != nil {
		return err
	}
	if resp.Status >= http.StatusBadRequest {
		return errorOf(r, resp)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(resp.Body, out); err != nil {
		return fmt.Errorf("%s %s: the response is not that of a Millrace server: %w", r.Method, withoutQuery(r.Path), err)
	}
	return nil
}

// Get decodes what is at a path into out.
func (c *Client) Get(ctx context.Context, path string, out any) error {
	return c.Send(ctx, &Request{Method: http.MethodGet, Path: path}, out)
}

// Post sends a value as JSON and decodes the response into out, unless that is nil.
func (c *Client) Post(ctx context.Context, path string, in, out any) error {
	return c.encode(ctx, http.MethodPost, path, in, out)
}

// Patch changes what is at a path and decodes the response into out, unless that is nil.
func (c *Client) Patch(ctx context.Context, path string, in, out any) error {
	return c.encode(ctx, http.MethodPatch, path, in, out)
}

// Delete removes what is at a path and decodes the response into out, unless that is nil.
func (c *Client) Delete(ctx context.Context, path string, out any) error {
	return c.Send(ctx, &Request{Method: http.MethodDelete, Path: path}, out)
}

func (c *Client) encode(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, withoutQuery(path), err)
	}
	return c.Send(ctx, &Request{Method: method, Path: path, Body: body, Header: http.Header{"Content-Type": {"application/json"}}}, out)
}

// All yields what a list holds, page after page; path may have a query. It ends with the first error.
func All[T any](ctx context.Context, c *Client, path string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		sep := "?"
		if strings.Contains(path, "?") {
			sep = "&"
		}
		for next := path; ; {
			var page struct {
				Result     []T     `json:"result"`
				NextCursor *string `json:"next_cursor"`
			}
			if err := c.Get(ctx, next, &page); err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, row := range page.Result {
				if !yield(row, nil) {
					return
				}
			}
			if page.NextCursor == nil {
				return
			}
			next = path + sep + "next_cursor=" + url.QueryEscape(*page.NextCursor)
		}
	}
}

// withoutQuery removes the query, which may hold a secret.
func withoutQuery(path string) string {
	path, _, _ = strings.Cut(path, "?")
	return path
}
