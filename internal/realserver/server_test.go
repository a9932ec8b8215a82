package realserver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/millrace/millrace/internal/millracetest"
)

// runServer starts a provider's program and waits until it responds at a path. It is killed with the test.
func runServer(t *testing.T, base, ready string, cmd *exec.Cmd) {
	t.Helper()
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatalf("start the server: %v", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // how it ended does not matter: it is killed
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if t.Failed() {
			text := log.String()
			t.Logf("the end of the server's log:\n%s", text[max(0, len(text)-4000):])
		}
	})
	millracetest.Wait(t, patience, func() (bool, any) {
		select {
		case <-ended:
			t.Fatal("the server ended while it was starting")
		default:
		}
		status, response, err := (&rest{base: base}).call(t.Context(), http.MethodGet, ready, nil)
		return err == nil && status == http.StatusOK, fmt.Sprint(status, string(response), err)
	})
}

// freeAddress returns an unused address of this machine.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// rest calls a server's own API.
type rest struct {
	base          string
	header, value string // credentials
}

func (c *rest) call(ctx context.Context, method, path string, in any) (int, []byte, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if c.header != "" {
		req.Header.Set(c.header, c.value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	response, err := io.ReadAll(resp.Body)
	return resp.StatusCode, response, err
}

// do makes a call that must succeed and decodes the response into out, unless that is nil.
func (c *rest) do(t *testing.T, method, path string, in, out any) {
	t.Helper()
	if err := c.try(t.Context(), method, path, in, out); err != nil {
		t.Fatal(err)
	}
}

func (c *rest) try(ctx context.Context, method, path string, in, out any) error {
	status, response, err := c.call(ctx, method, path, in)
	if err != nil {
		return err
	}
	if status < 200 || status > 299 {
		return fmt.Errorf("%s %s responded %d: %s", method, path, status, response)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(response, out)
}

// each calls fn for 0 to n-1, some at a time, and fails the test on the first error.
func each(t *testing.T, n int, fn func(i int) error) {
	t.Helper()
	var workers sync.WaitGroup
	numbers, failed := make(chan int), make(chan error, n)
	for range 4 {
		workers.Go(func() {
			for i := range numbers {
				if err := fn(i); err != nil {
					failed <- err
				}
			}
		})
	}
	for i := range n {
		numbers <- i
	}
	close(numbers)
	workers.Wait()
	if len(failed) > 0 {
		t.Fatal(<-failed)
	}
}

// awkward returns text that is easily damaged on its way.
func awkward(n int) string {
	texts := []string{
		"plain",
		`"quoted" 'twice' \ and back`,
		"{{args.webhook_id}} {{resources.projects.id}} $notAFunction(1)",
		"line\nline\r\n\ttab",
		"żółć – Ἀθηνᾶ – 東京都 – עברית – العربية",
		"👩🏽‍💻 family 👨‍👩‍👧‍👦 flag 🇵🇱 e\u0301",
		"</script><b>&amp; & < > \u2028 \u2029 \ufeff \u0007",
		strings.Repeat("long, ünd längér. ", 1500),
		"",
		" \u00a0 spaces around \u3000 ",
		"'; DROP TABLE records; --",
		"007",
		"1e5",
		"null",
	}
	return texts[n%len(texts)]
}
