package millracetest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Client calls the API as a customer would.
type Client struct {
	Base  string
	Token string
	http  http.Client
}

// callTimeout is short, because a node that is paused does not refuse connections.
const callTimeout = 5 * time.Second

// NewClient returns a client of the server at base.
func NewClient(base, token string) *Client {
	return &Client{Base: base, Token: token, http: http.Client{Timeout: callTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}}
}

// Patient gives responses a minute, for a test that no node is paused in and that asks for all there is, on a machine that is
// busy with others: GET /openapi.yaml alone, 340 kB through regular expressions, takes 30 ms, and a hundred times as long
// with the race detector beside other tests.
func (c *Client) Patient() { c.http.Timeout = time.Minute }

// Call sends a body as it is and returns the status and the body of the answer. An error means that there is no whole
// answer, which says nothing about what the server has done.
func (c *Client) Call(ctx context.Context, method, path, contentType string, body []byte) (int, []byte, error) {
	header := http.Header{"Authorization": {"Bearer " + c.Token}}
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	return c.CallAs(ctx, method, path, header, body)
}

// CallAs is Call with headers of the caller's own.
func (c *Client) CallAs(ctx context.Context, method, path string, header http.Header, body []byte) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.Base+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header = header
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// Get decodes what is at path into out. Any other answer than success is an error.
func (c *Client) Get(ctx context.Context, path string, out any) error {
	return c.decode(ctx, http.MethodGet, path, "", nil, out)
}

// Post sends a value and decodes the answer into out, unless that is nil.
func (c *Client) Post(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return c.decode(ctx, http.MethodPost, path, "application/json", body, out)
}

// Send sends a body of that content type and decodes the answer into out, unless that is nil.
func (c *Client) Send(ctx context.Context, method, path, contentType string, body []byte, out any) error {
	return c.decode(ctx, method, path, contentType, body, out)
}

func (c *Client) decode(ctx context.Context, method, path, contentType string, body []byte, out any) error {
	status, answer, err := c.Call(ctx, method, path, contentType, body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if status >= http.StatusBadRequest {
		return fmt.Errorf("%s %s answered %d: %s", method, path, status, answer)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// List returns what a list holds, all pages of it.
func (c *Client) List(ctx context.Context, path string) ([]map[string]any, error) {
	var all []map[string]any
	next := ""
	for {
		var page struct {
			Result     []map[string]any `json:"result"`
			NextCursor *string          `json:"next_cursor"`
		}
		if err := c.Get(ctx, path+next, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Result...)
		if page.NextCursor == nil {
			return all, nil
		}
		sep := "?"
		if bytes.ContainsRune([]byte(path), '?') {
			sep = "&"
		}
		next = sep + "next_cursor=" + *page.NextCursor
	}
}
