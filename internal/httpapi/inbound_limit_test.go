package httpapi_test

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/httpapi"
	"github.com/millrace/millrace/internal/inbound"
	"github.com/millrace/millrace/internal/provider"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// The accounts do not exist: what is within the limits is looked up and not found.
func TestInboundHooksAreLimitedByBytes(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		limited := map[string]int{}
		logger := slog.New(slog.DiscardHandler)
		accounts := provider.NewFetcher(db, nil, provider.NewRateBudget(db, time.Now, logger, 0), logger, nil)
		receiver, err := provider.NewReceiver(inbound.Config{DB: db, Client: http.DefaultClient, Clock: time.Now}, accounts)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(receiver.Stop)
		w := newWorld(t, db, func(c *httpapi.Config) {
			c.Inbound, c.InboundBytesLimit, c.InboundLimited = receiver, 100_000, func(unit string) { limited[unit]++ }
		})
		const one, other = "/integrated-account-webhook/33333333-3333-4333-8333-333333333333", "/integrated-account-webhook/44444444-4444-4444-8444-444444444444"
		body := strings.Repeat("x", 40_000)
		for i, want := range []int{404, 404, 429, 429} {
			got := w.post(one, body)
			if got.status != want || want == 429 && got.header.Get("Retry-After") == "" {
				t.Errorf("hook %d: got %d %s, want %d", i, got.status, got.raw, want)
			}
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.server.URL+one, io.MultiReader(strings.NewReader(body))) // of unknown length
		if err != nil {
			t.Fatal(err)
		}
		res, err := w.server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusTooManyRequests {
			t.Errorf("a hook of unknown length: got %d", res.StatusCode)
		}
		if got := w.post(other, body); got.status != http.StatusNotFound {
			t.Errorf("another account: got %d %s", got.status, got.raw)
		}
		if limited["bytes"] != 3 || limited["requests"] != 0 {
			t.Errorf("counted %v, want three by bytes", limited)
		}
	})
}
