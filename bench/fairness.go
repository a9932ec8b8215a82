package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/millrace/millrace/examples"
)

const (
	fairRuns = 200
	// unfair is how many times the mean the slowest of equal runs may take.
	unfair = 2.0
	// runPatience bounds how long such benchmarks wait for runs to end.
	runPatience = 10 * time.Minute
)

// finishes is a webhook that notes when runs have ended.
type finishes struct {
	mu sync.Mutex
	at map[string]time.Time
}

// ServeHTTP implements http.Handler.
func (f *finishes) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var event struct {
		Event   string `json:"event"`
		Payload struct {
			ID string `json:"id"`
		} `json:"payload"`
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(body, &event) != nil || event.Event != "sync_job_run:completed" {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.at[event.Payload.ID]; !ok {
		f.at[event.Payload.ID] = time.Now()
	}
}

func (f *finishes) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.at)
}

// fairness measures how evenly equal runs that are started at once share the workers: when the slowest of them is done,
// compared with the mean.
func fairness(ctx context.Context, o options, database string) error {
	n := o.count(5_000)
	from := httptest.NewServer(newProvider(n))
	defer from.Close()
	ends := &finishes{at: map[string]time.Time{}}
	to := httptest.NewServer(ends)
	defer to.Close()
	a, err := newAPI(ctx, o, database, "fairness")
	if err != nil {
		return err
	}
	defer func() { _ = a.server.Stop(ctx) }()
	account, err := a.connect(ctx, from.URL, to.URL)
	if err != nil {
		return err
	}
	began := time.Now()
	err = drive(fairRuns, func(int) error {
		return a.call(ctx, http.MethodPost, "/sync-job-run", map[string]any{
			"sync_job_id": examples.SyncJobID, "integrated_account_id": account, "webhook_id": examples.WebhookID,
		}, nil)
	})
	if err != nil {
		return err
	}
	if err := within(ctx, runPatience, 10*time.Millisecond, func() (bool, error) { return ends.count() == fairRuns, nil }); err != nil {
		return fmt.Errorf("%d of %d runs ended: %w", ends.count(), fairRuns, err)
	}
	var sum, slowest time.Duration
	for _, at := range ends.at {
		sum += at.Sub(began)
		slowest = max(slowest, at.Sub(began))
	}
	mean := sum / fairRuns
	ratio := slowest.Seconds() / mean.Seconds()
	fmt.Printf("%-46s %-9s mean %v   slowest %v   %.2f times the mean\n", fmt.Sprintf("%d runs of %d records at once", fairRuns, n), database,
		mean.Round(time.Millisecond), slowest.Round(time.Millisecond), ratio)
	if ratio > unfair {
		return fmt.Errorf("the slowest run took %.2f times the mean, more than %.0f", ratio, unfair)
	}
	return nil
}
