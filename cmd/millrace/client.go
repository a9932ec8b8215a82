package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/millrace/millrace"
)

// clientFlags say which server a command talks to.
type clientFlags struct {
	Server string `help:"Address of the server." env:"MILLRACE_SERVER,MILLRACE_ADDR" default:"http://127.0.0.1:8080" placeholder:"URL"`
	Token  string `help:"API token; its environment is the one that is worked on." placeholder:"TOKEN"`
}

const (
	answerWithin = 30 * time.Second
	maxAnswer    = 64 << 20
)

// client calls the API of a server.
type client struct {
	base, token string
	http        *http.Client
}

func (f *clientFlags) client() (*client, error) {
	if f.Token == "" {
		return nil, errors.New("an API token is required: --token, or MILLRACE_TOKEN in the environment; millrace token create makes one")
	}
	base := strings.TrimRight(f.Server, "/")
	if !strings.Contains(base, "://") { // an address to listen on
		host, port, err := net.SplitHostPort(base)
		if err != nil {
			return nil, fmt.Errorf("--server %s: not a URL", f.Server)
		}
		if host == "" {
			host = "127.0.0.1"
		}
		base = "http://" + net.JoinHostPort(host, port)
	}
	return &client{base: base, token: f.Token, http: &http.Client{Timeout: answerWithin}}, nil
}

// call sends a body, if there is one, and decodes the answer into out.
func (c *client) call(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%s %s: read the answer: %w", method, path, err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return refusal(method, path, resp.StatusCode, answer)
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s %s: the answer is not that of a Millrace server: %w", method, path, err)
	}
	return nil
}

// refusal makes an error of a refusal, with every finding on a line of its own.
func refusal(method, path string, status int, answer []byte) error {
	var envelope struct {
		Message string `json:"message"`
		Details struct {
			Failures []millrace.Failure `json:"failures"`
		} `json:"details"`
	}
	path, _, _ = strings.Cut(path, "?")
	head := fmt.Sprintf("%s %s answered %d %s", method, path, status, http.StatusText(status))
	if err := json.Unmarshal(answer, &envelope); err != nil || envelope.Message == "" {
		return errors.New(head)
	}
	if len(envelope.Details.Failures) == 0 {
		return fmt.Errorf("%s: %s", head, envelope.Message)
	}
	lines := []string{head}
	for _, f := range envelope.Details.Failures {
		lines = append(lines, failureLine(f))
	}
	return errors.New(strings.Join(lines, "\n  "))
}

func failureLine(f millrace.Failure) string {
	line := f.Message
	if f.Path != "" {
		line = f.Path + ": " + line
	}
	if f.Suggestion != "" && !strings.Contains(f.Message, f.Suggestion) {
		line += ", did you mean " + f.Suggestion + "?"
	}
	if f.Line > 0 {
		line += fmt.Sprintf(" (line %d, column %d)", f.Line, f.Column)
	}
	return line
}
