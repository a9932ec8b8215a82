package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/client"
	"github.com/millrace/millrace/examples"
	"github.com/millrace/millrace/internal/server"
)

const pageSize = 100

// provider serves bookings from memory, a hundred a page, by take and skip.
type provider struct{ pages [][]byte }

func newProvider(records int) *provider {
	p := &provider{}
	for from := 0; from < records; from += pageSize {
		p.pages = append(p.pages, bookings(from, min(from+pageSize, records)))
	}
	p.pages = append(p.pages, bookings(records, records))
	return p
}

// bookings is a page of made-up bookings.
func bookings(from, to int) []byte {
	page := []map[string]any{}
	for i := from; i < to; i++ {
		page = append(page, map[string]any{
			"id": i, "uid": fmt.Sprintf("booking-%07d", i), "title": "Intro call between Ada and Grace", "status": "accepted",
			"start": "2026-11-23T10:00:00Z", "end": "2026-11-23T10:30:00Z", "hosts": []any{map[string]any{"id": 1, "email": "ada@acme.example"}},
			"attendees": []any{map[string]any{"name": "Grace", "email": "grace@globex.example", "timeZone": "Europe/Berlin"}},
		})
	}
	body, _ := json.Marshal(map[string]any{"status": "success", "data": page})
	return body
}

// ServeHTTP implements http.Handler.
func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	skip, _ := strconv.Atoi(r.URL.Query().Get("skip"))
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(p.pages[min(skip/pageSize, len(p.pages)-1)])
}

// sink counts deliveries and throws them away.
type sink struct{ requests, bytes atomic.Int64 }

// ServeHTTP implements http.Handler.
func (s *sink) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	n, _ := io.Copy(io.Discard, r.Body)
	s.requests.Add(1)
	s.bytes.Add(n)
}

// transferFloor fetches pages and posts them, one after the other, with nothing else: no database, no expression, no
// signature.
func transferFloor(ctx context.Context, from, to string) (int, error) {
	client := &http.Client{}
	total := 0
	for skip := 0; ; skip += pageSize {
		body, err := roundTrip(ctx, client, http.MethodGet, fmt.Sprintf("%s/v2/bookings?take=%d&skip=%d", from, pageSize, skip), nil)
		if err != nil {
			return total, err
		}
		var page struct {
			Data []json.RawMessage `json:"data"`
		}
		if err := json.Unmarshal(body, &page); err != nil {
			return total, err
		}
		if len(page.Data) == 0 {
			return total, nil
		}
		total += len(page.Data)
		out, err := json.Marshal(map[string]any{"event": "sync_job_run:record", "payload": map[string]any{"resource": "bookings", "records": page.Data}})
		if err != nil {
			return total, err
		}
		if _, err := roundTrip(ctx, client, http.MethodPost, to, out); err != nil {
			return total, err
		}
	}
}

func roundTrip(ctx context.Context, c *http.Client, method, url string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	response, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s responded %d: %s", method, url, resp.StatusCode, response)
	}
	return response, err
}

// api is a whole server with a client of it.
type api struct {
	client.Client
	server *server.Server // nil: it is in another process
}

func newAPI(ctx context.Context, o options, database, name string) (*api, error) {
	url := ""
	if database == "postgres" {
		var err error
		if url, err = o.newDatabase(ctx, database, name); err != nil {
			return nil, err
		}
	}
	return startAPI(ctx, filepath.Join(o.dir, name+"-"+database), url)
}

// startAPI starts a server on a database; empty: SQLite in dir.
func startAPI(ctx context.Context, dir, url string) (*api, error) {
	a := &api{Client: client.Client{HTTP: &http.Client{}}}
	opts := server.Options{
		Addr: "127.0.0.1:0", DataDir: dir, Database: url, Dev: true, Warm: true, Logger: quiet(), OnToken: func(t string) { a.Token = t },
	}
	var err error
	if a.server, err = server.New(ctx, opts); err != nil {
		return nil, err
	}
	if err := a.server.Start(ctx); err != nil {
		return nil, err
	}
	a.Base = "http://" + a.server.Addr()
	return a, nil
}

func (a *api) call(ctx context.Context, method, path string, in, out any) error {
	body, ok := in.([]byte)
	if !ok {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	contentType := "application/json"
	if ok {
		contentType = "application/yaml"
	}
	return a.Send(ctx, &client.Request{Method: method, Path: path, Body: body, Header: http.Header{"Content-Type": {contentType}}}, out)
}

type made struct {
	ID     string `json:"id"`
	Status string `json:"status"`
}

// connect creates the integration, the sync job and the webhook of the examples, and an account.
func (a *api) connect(ctx context.Context, from, to string) (string, error) {
	integration, err := examples.Files.ReadFile("integration-calcom.yaml")
	if err != nil {
		return "", err
	}
	integration = bytes.Replace(integration, []byte("max_limit: 25"), []byte("max_limit: 100"), 1)
	job, err := examples.Files.ReadFile("sync-job-bookings.yaml")
	if err != nil {
		return "", err
	}
	var i, e, acc made
	if err := a.call(ctx, http.MethodPost, "/integration", integration, &i); err != nil {
		return "", err
	}
	if err := a.call(ctx, http.MethodPost, "/environment-integration", map[string]any{"integration_id": i.ID}, &e); err != nil {
		return "", err
	}
	if err := a.call(ctx, http.MethodPost, "/sync-job", job, nil); err != nil {
		return "", err
	}
	if err := a.call(ctx, http.MethodPost, "/webhook", map[string]any{"id": examples.WebhookID, "target_url": to, "event_types": []string{"sync_job_run:record"}}, nil); err != nil {
		return "", err
	}
	err = a.call(ctx, http.MethodPost, "/integrated-account", map[string]any{
		"tenant_id": "t", "environment_integration_id": e.ID, "authentication_method": "api_key",
		"context": map[string]any{"api_key": "k", "base_url": from},
	}, &acc)
	return acc.ID, err
}

// records measures a sync job run of many pages, with a transform, against the bare loop.
func records(ctx context.Context, o options, database string) error {
	n := o.count(100_000)
	from := httptest.NewServer(newProvider(n))
	defer from.Close()
	counter := &sink{}
	to := httptest.NewServer(counter)
	defer to.Close()
	a, err := newAPI(ctx, o, database, "records")
	if err != nil {
		return err
	}
	defer func() { _ = a.server.Stop(ctx) }()
	account, err := a.connect(ctx, from.URL, to.URL)
	if err != nil {
		return err
	}
	began := time.Now()
	moved, err := transferFloor(ctx, from.URL, to.URL)
	if err != nil || moved != n {
		return fmt.Errorf("floor moved %d of %d records: %w", moved, n, err)
	}
	floor := rate("floor: records fetched and posted, bare loop", database, n, time.Since(began), 0)
	before := counter.requests.Load()
	stop, err := profile("records-" + database)
	if err != nil {
		return err
	}
	began = time.Now()
	var run made
	err = a.call(ctx, http.MethodPost, "/sync-job-run", map[string]any{
		"sync_job_id": examples.SyncJobID, "integrated_account_id": account, "webhook_id": examples.WebhookID,
	}, &run)
	if err != nil {
		return err
	}
	deliveries := int64((n+pageSize-1)/pageSize) + 2 // with those that say that the run begins and ends
	if err := until(ctx, func() (bool, error) {
		if counter.requests.Load()-before < deliveries {
			return false, nil // polling the server would measure its responses, too
		}
		err := a.call(ctx, http.MethodGet, "/sync-job-run/"+run.ID, nil, &run)
		return run.Status == "completed" || run.Status == "failed", err
	}); err != nil {
		return err
	}
	took := time.Since(began)
	stop()
	if got := counter.requests.Load() - before; run.Status != "completed" || got != deliveries {
		return fmt.Errorf("run %s after %d deliveries", run.Status, got)
	}
	rate("records synced: fetch, JSONata, freeze, sign, post", database, n, took, floor)
	return nil
}
