package deliver

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// The target is 1,000 signed deliveries per second to a local sink on SQLite, 800 on PostgreSQL, per webhook.
func BenchmarkPump(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { benchmarkPump(b, storetest.Open(b, storetest.SQLite(b))) })
	b.Run("postgres", func(b *testing.B) { benchmarkPump(b, storetest.Open(b, storetest.Postgres(b))) })
}

func benchmarkPump(b *testing.B, db *store.DB) {
	b.Helper()
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer sink.Close()
	w := newWorld(b, db, PumpConfig{})
	sender, err := New(Config{Client: &http.Client{Transport: &http.Transport{}}, Clock: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	w.pump.sender = sender
	w.webhook.TargetURL, w.webhook.Ordering = sink.URL, millrace.OrderingFirstAttempt
	w.update(func(tx *store.Tx) error { return tx.Webhooks().Update(context.Background(), w.webhook) })
	w.queue(b.N)
	b.ResetTimer()
	for w.live() {
		w.pumpOnce()
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
}

func BenchmarkSend(b *testing.B) {
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer sink.Close()
	sender, err := New(Config{Client: &http.Client{Transport: &http.Transport{}}, Clock: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	m := messageTo(sink.URL)
	for b.Loop() {
		if o := sender.Send(b.Context(), m); o.Kind != Delivered {
			b.Fatalf("%+v", o)
		}
	}
}
