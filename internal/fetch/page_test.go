package fetch_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/memory"
)

// packed serves what the path says so many times, packed with gzip.
func packed(t *testing.T, unit string, times int) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, `{"data":[`)
		chunk := strings.Repeat(unit+",", 1000)
		for range times / 1000 {
			_, _ = io.WriteString(z, chunk)
		}
		_, _ = io.WriteString(z, unit+"]}")
		_ = z.Close()
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func listFrom(ctx context.Context, t *testing.T, f *fetch.Fetcher, url string, patience time.Duration) (fetch.Outcome, error) {
	t.Helper()
	config, err := config.Parse(json.RawMessage(fmt.Sprintf(
		`{"base_url":%q,"resources":{"things":{"list":{"path":"/","response_path":"data"}}}}`, url)))
	if err != nil {
		t.Fatal(err)
	}
	return f.Fetch(ctx, fetch.Request{Integration: config, Resource: "things", Method: "list", Owner: "env", Patience: patience})
}

// Pages of many tiny elements, some kilobytes on the wire, would take a gigabyte once they are decoded.
func TestPagesOfTinyElementsTakeLittle(t *testing.T) { //nolint:paralleltest // it counts what the process allocates
	for unit, times := range map[string]int{`{}`: 9_000_000, `1`: 14_000_000, `[]`: 9_000_000, `""`: 9_000_000, `{"a":0}`: 3_500_000} {
		t.Run(unit, func(t *testing.T) { //nolint:paralleltest // see above
			f, err := fetch.New(fetch.FetcherConfig{Client: &http.Client{}, Timeout: time.Minute, Spool: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			url := packed(t, unit, times)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			o, err := listFrom(t.Context(), t, f, url, 0)
			runtime.ReadMemStats(&after)
			if err != nil {
				t.Fatal(err)
			}
			if o.Kind != fetch.KindRemoteError || o.ErrorClass != "too_large" || !strings.Contains(o.Message, "values") {
				t.Errorf("got %s %q %q, want too_large", o.Kind, o.ErrorClass, o.Message)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 32<<20 {
				t.Errorf("%d MiB allocated", n>>20)
			}
		})
	}
}

// A page that is long but fits waits in a file and for memory, comes whole, and leaves nothing behind.
func TestLongPagesWaitForMemory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	budget := memory.New(64 << 20)
	f, err := fetch.New(fetch.FetcherConfig{Client: &http.Client{}, Memory: budget, Spool: dir})
	if err != nil {
		t.Fatal(err)
	}
	url := packed(t, `{"name":"a record of some usual length","n":12345}`, 20_000)
	held, err := budget.Acquire(t.Context(), "another", 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listFrom(t.Context(), t, f, url, time.Millisecond); millrace.KindOf(err) != millrace.KindUnavailable {
		t.Errorf("without memory and patience: got %v, want an error of KindUnavailable", err)
	}
	stopped, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("stopped"))
	if _, err := listFrom(stopped, t, f, url, 0); err == nil {
		t.Error("a call that was stopped has a page")
	}
	done := make(chan fetch.Outcome, 1)
	go func() {
		o, err := listFrom(t.Context(), t, f, url, 0)
		if err != nil {
			t.Error(err)
		}
		done <- o
	}()
	for waiting := 0; waiting == 0; {
		_, waiting = budget.Used()
		runtime.Gosched()
	}
	held.Release()
	o := <-done
	if o.Kind != fetch.KindOK || o.Records.Len() != 20_001 {
		t.Fatalf("got %s %q", o.Kind, o.Message)
	}
	if used, _ := budget.Used(); used < 2<<20 || used != o.Lease.Size() {
		t.Errorf("%d bytes are reserved for a page of more than a megabyte", used)
	}
	o.Lease.Release()
	if used, _ := budget.Used(); used != 0 {
		t.Errorf("%d bytes stay reserved", used)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("files are left: %v, %v", left, err)
	}
}
