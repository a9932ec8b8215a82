package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"millrace": main})
}

// TestScripts runs what the command line promises: testdata/*.txtar.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("PORT", freePort(t))
			e.Setenv("PORT2", freePort(t))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"http": httpCmd, "mode": modeCmd, "until": untilCmd, "word": wordCmd},
	})
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// httpCmd requests a URL until the server responds: http STATUS METHOD URL [TOKEN-FILE [BODY-FILE]]. The response becomes
// the standard output.
func httpCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: http STATUS METHOD URL [TOKEN-FILE [BODY-FILE]]")
	}
	token, body := "", ""
	if len(args) > 3 {
		token = strings.TrimSpace(ts.ReadFile(args[3]))
	}
	if len(args) > 4 {
		body = ts.ReadFile(args[4])
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	status, response, err := ask(ctx, args[1], args[2], token, body)
	ts.Check(err)
	_, _ = fmt.Fprintln(ts.Stdout(), response)
	if fmt.Sprint(status) != args[0] {
		ts.Fatalf("got status %d, want %s: %s", status, args[0], response)
	}
}

func ask(ctx context.Context, method, url, token, body string) (int, string, error) {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
		if err != nil {
			return 0, "", err
		}
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			defer func() { _ = resp.Body.Close() }()
			response, err := io.ReadAll(resp.Body)
			return resp.StatusCode, string(response), err
		}
		select {
		case <-ctx.Done():
			return 0, "", errors.Join(err, ctx.Err())
		case <-ticker.C:
		}
	}
}

// untilCmd runs a command until its output matches: until PATTERN COMMAND...
func untilCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until PATTERN COMMAND...")
	}
	pattern := regexp.MustCompile(args[0])
	for deadline := time.Now().Add(30 * time.Second); ; {
		out := ""
		if err := ts.Exec(args[1], args[2:]...); err == nil {
			out = ts.ReadFile("stdout")
		}
		if pattern.MatchString(out) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("no match for %s in: %s", args[0], out)
		}
	}
}

// modeCmd checks the permissions of a file: mode 0600 FILE.
func modeCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode OCTAL FILE")
	}
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}

// wordCmd sets a variable to a word of a file, counted from 0, or from -1 at the end: word NAME FILE N.
func wordCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: word NAME FILE N")
	}
	words := strings.Fields(ts.ReadFile(args[1]))
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	if n < 0 {
		n += len(words)
	}
	if n < 0 || n >= len(words) {
		ts.Fatalf("%s has %d words", args[1], len(words))
	}
	ts.Setenv(args[0], words[n])
}
