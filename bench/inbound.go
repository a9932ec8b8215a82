package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/node"
	"github.com/millrace/millrace/internal/server"
	"github.com/millrace/millrace/internal/store"
)

const hookSecret = "a secret of the bench"

// hookConfig is an integration whose hooks are signed like GitHub's and make one event each.
const hookConfig = `{"name":"issues","config":{"base_url":"https://api.example.com","resources":{},"webhook":{
"payload_transform":"{ \"event_type\": \"updated\", \"resource_type\": \"issues\", \"resource_id\": body.issue.id, \"raw\": body.issue }",
"signature_verification":{"format":"github","config":{"secret":"{{hook_secret}}"}}}}}`

// inboundHooks measures signed requests of providers through the HTTP API of a whole server: how many are durable and
// accepted, and how many have become events.
func inboundHooks(ctx context.Context, o options, database string) error {
	h, err := newHookWorld(ctx, o, database)
	if err != nil {
		return err
	}
	defer func() { _ = h.server.Stop(ctx) }()
	n := o.count(20_000)
	stop, err := profile("inbound-" + database)
	if err != nil {
		return err
	}
	began := time.Now()
	latencies, err := h.sendAll(ctx, n)
	if err != nil {
		return err
	}
	took := time.Since(began)
	stop()
	rate("inbound hooks accepted (64 callers)", database, n, took, 0)
	if err := percentiles("inbound hook, request to response", database, latencies); err != nil {
		return err
	}
	if err := h.settled(ctx); err != nil {
		return err
	}
	rate("inbound hooks made events", database, n, time.Since(began), 0)
	return nil
}

type hookWorld struct {
	server *server.Server
	db     *store.DB
	client *http.Client
	base   string
	token  string
}

func newHookWorld(ctx context.Context, o options, database string) (*hookWorld, error) {
	h := &hookWorld{client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}}}
	dir := filepath.Join(o.dir, "inbound-"+database)
	opts := server.Options{Addr: "127.0.0.1:0", DataDir: dir, Logger: quiet(), OnToken: func(token string) { h.token = token }}
	url := node.SQLitePath(dir)
	var err error
	if database == "postgres" {
		if url, err = o.newDatabase(ctx, database, "inbound"); err != nil {
			return nil, err
		}
		opts.Database = url
	}
	if h.server, err = server.New(ctx, opts); err != nil {
		return nil, err
	}
	if err := h.server.Start(ctx); err != nil {
		return nil, err
	}
	h.base = "http://" + h.server.Addr()
	if h.db, err = store.Open(ctx, store.Config{URL: url, Cipher: plain{}}); err != nil {
		return nil, err
	}
	return h, h.connect(ctx)
}

const hookAccount = "acc00000-0000-4000-8000-000000000001"

func (h *hookWorld) connect(ctx context.Context) error {
	integration, err := h.create(ctx, "/integration", hookConfig)
	if err != nil {
		return err
	}
	install, err := h.create(ctx, "/environment-integration", fmt.Sprintf(`{"integration_id":%q}`, integration))
	if err != nil {
		return err
	}
	_, err = h.create(ctx, "/integrated-account", fmt.Sprintf(
		`{"id":%q,"tenant_id":"acme","environment_integration_id":%q,"authentication_method":"api_key","context":{"hook_secret":%q}}`,
		hookAccount, install, hookSecret))
	return err
}

func (h *hookWorld) create(ctx context.Context, path, body string) (string, error) {
	var created struct {
		ID string `json:"id"`
	}
	raw, err := h.post(ctx, path, []byte(body), http.Header{"Authorization": {"Bearer " + h.token}, "Content-Type": {"application/json"}})
	if err != nil {
		return "", err
	}
	return created.ID, json.Unmarshal(raw, &created)
}

func (h *hookWorld) post(ctx context.Context, path string, body []byte, header http.Header) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header = header
	resp, err := h.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s responded %d: %s", path, resp.StatusCode, raw)
	}
	return raw, err
}

// sendAll sends hooks of about 1 kB and returns how long each took.
func (h *hookWorld) sendAll(ctx context.Context, n int) ([]time.Duration, error) {
	return timed(n, func(i int) error {
		body := fmt.Appendf(nil, `{"action":"edited","issue":{"id":%d,"title":"It leaks","body":%q}}`, i, bytes.Repeat([]byte("water "), 150))
		mac := hmac.New(sha256.New, []byte(hookSecret))
		mac.Write(body)
		_, err := h.post(ctx, "/integrated-account-webhook/"+hookAccount, body, http.Header{
			"Content-Type": {"application/json"}, "X-Github-Delivery": {strconv.Itoa(i)},
			"X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(mac.Sum(nil))},
		})
		return err
	})
}

// settled waits until every hook is evaluated.
func (h *hookWorld) settled(ctx context.Context) error {
	defer func() { _ = h.db.Close() }()
	return until(ctx, func() (bool, error) {
		open := false
		err := h.db.View(ctx, func(tx *store.Tx) error {
			work, err := tx.Tasks().Open(ctx)
			for _, t := range work {
				open = open || t.Kind == millrace.TaskInbound
			}
			return err
		})
		return !open, err
	})
}
