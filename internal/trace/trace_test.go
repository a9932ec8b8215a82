package trace_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/trace"
)

const (
	id     = "4bf92f3577b34da6a3ce929d0e0e4736"
	parent = "00-" + id + "-00f067aa0ba902b7-01"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ header, want string }{
		{parent, parent},
		{"00-" + id + "-00f067aa0ba902b7-00", "00-" + id + "-00f067aa0ba902b7-00"},
		{"01-" + id + "-00f067aa0ba902b7-01", parent}, // a later version
		{"cc-" + id + "-00f067aa0ba902b7-01-what-comes-later", parent},
		{"", ""},
		{"ff-" + id + "-00f067aa0ba902b7-01", ""},
		{parent + "-more", ""},
		{parent + "0", ""},
		{"cc-" + id + "-00f067aa0ba902b7-01x", ""},
		{strings.ToUpper(parent), ""},
		{"00-00000000000000000000000000000000-00f067aa0ba902b7-01", ""},
		{"00-" + id + "-0000000000000000-01", ""},
		{"00-" + id + "-00f067aa0ba902b7", ""},
		{" " + parent, ""},
		{parent + "\n", ""},
		{"00-" + id[1:] + "\n-00f067aa0ba902b7-01", ""},
		{"cc-" + id + "-00f067aa0ba902b7-01-" + strings.Repeat("x", 1000), ""},
	} {
		if got, ok := trace.Parse(c.header); got != c.want || ok != (c.want != "") {
			t.Errorf("%q: got %q, %v; want %q", c.header, got, ok, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(parent)
	f.Add("cc-" + id + "-00f067aa0ba902b7-01-more")
	f.Fuzz(func(t *testing.T, header string) {
		got, ok := trace.Parse(header)
		if !ok {
			return
		}
		if again, ok := trace.Parse(got); !ok || again != got || len(got) != 55 {
			t.Errorf("%q: got %q, which becomes %q", header, got, again)
		}
	})
}

func TestHandlerNamesEachRequest(t *testing.T) {
	t.Parallel()
	var got string
	h := trace.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = trace.From(r.Context()) }))
	serve := func(headers ...string) string {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		for _, v := range headers {
			r.Header.Add("traceparent", v)
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
		return got
	}
	if got := serve(parent); got != parent {
		t.Errorf("got %q, want that of the request", got)
	}
	seen := map[string]bool{}
	for _, headers := range [][]string{nil, {"nonsense"}, {parent, parent}, {""}, nil} {
		got := serve(headers...)
		if valid, ok := trace.Parse(got); !ok || valid != got || trace.ID(got) == id || seen[got] {
			t.Errorf("%q: got %q, want a new one", headers, got)
		}
		seen[got] = true
	}
}

func TestLoggerSaysTheTrace(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	l := trace.Logger(slog.New(slog.NewTextHandler(&out, nil)))
	l.InfoContext(trace.With(t.Context(), parent), "first")
	l.With(slog.String("a", "b")).InfoContext(trace.With(context.Background(), parent), "second")
	l.InfoContext(t.Context(), "third")
	l.InfoContext(trace.With(t.Context(), ""), "fourth")
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	for i, want := range []bool{true, true, false, false} {
		if got := strings.Contains(lines[i], "trace_id="+id); got != want {
			t.Errorf("line %d: %s", i, lines[i])
		}
	}
}
