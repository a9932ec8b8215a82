package provider_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/provider"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// tasks is a queue that keeps the tasks of connections.
type tasks struct{ finished int }

func (q *tasks) Enqueue(context.Context, *store.Tx, []millrace.Task) error { return nil }

func (q *tasks) Finish(_ context.Context, tx *store.Tx) error {
	tx.AfterCommit(func() { q.finished++ })
	return nil
}

// connecting is an account that is being connected to a provider.
type connecting struct {
	t         *testing.T
	db        *store.DB
	queue     *tasks
	connector *provider.Connector
	respond   func(w http.ResponseWriter, r *http.Request)
	now       time.Time
	v         *millrace.IntegratedAccount
}

const connectConfig = `{"base_url":"%","authorization":{"format":"bearer","config":{"token":"{{key}}"}},"credentials":{"api_key":{"format":"api_key","config":{"fields":[
{"name":"key","type":"password"},{"name":"minted","type":"password"}]}}},"actions":{
"post_install":{"steps":[{"type":"request","config":{"method":"post","path":"/me"}},{"type":"update_context","config":{"expression":"{\"minted\":previous.value,\"who\":previous.who}"}},
{"type":"request","config":{"path":"/with/{{who}}"}}]},"validation":{"steps":[{"type":"request","config":{"path":"/check"}}]}}}`

func newConnecting(t *testing.T, db *store.DB) *connecting {
	t.Helper()
	c := &connecting{t: t, db: db, queue: &tasks{}, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	db.SetQueue(c.queue)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		c.respond(w, r)
	}))
	t.Cleanup(server.Close)
	clock := func() time.Time { return c.now }
	fetcher, err := fetch.New(fetch.FetcherConfig{Client: server.Client(), Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.DiscardHandler)
	accounts := provider.NewFetcher(db, fetcher, provider.NewRateBudget(db, clock, logger, 0), logger, nil)
	c.connector = provider.NewConnector(provider.ConnectorConfig{Accounts: accounts, Clock: clock, Retries: []time.Duration{time.Minute}})
	c.update(func(tx *store.Tx) error {
		env := &millrace.Environment{Name: "test"}
		if err := tx.Environments().Create(t.Context(), env); err != nil {
			return err
		}
		integration := &millrace.Integration{EnvironmentID: env.ID, Name: "crm", Config: json.RawMessage(strings.Replace(connectConfig, "%", server.URL, 1))}
		if err := tx.Integrations().Create(t.Context(), integration); err != nil {
			return err
		}
		install := &millrace.EnvironmentIntegration{EnvironmentID: env.ID, IntegrationID: integration.ID, IsEnabled: true}
		if err := tx.Installs().Create(t.Context(), install); err != nil {
			return err
		}
		c.v = &millrace.IntegratedAccount{EnvironmentID: env.ID, EnvironmentIntegrationID: install.ID, AuthenticationMethod: "api_key", Status: millrace.AccountConnecting}
		if err := account.MergeContext(t.Context(), tx, c.v, json.RawMessage(`{"key":"secret-key-1"}`)); err != nil {
			return err
		}
		return tx.Accounts().Create(t.Context(), c.v)
	})
	c.connect()
	return c
}

func (c *connecting) update(fn func(*store.Tx) error) {
	c.t.Helper()
	if err := c.db.Update(c.t.Context(), fn); err != nil {
		c.t.Fatal(err)
	}
}

// connect connects the account, again if it was before.
func (c *connecting) connect() {
	c.t.Helper()
	c.update(func(tx *store.Tx) error {
		v, err := tx.Accounts().Get(c.t.Context(), c.v.EnvironmentID, c.v.ID)
		if err != nil {
			return err
		}
		began, err := account.NewEvent(c.t.Context(), tx, millrace.EventAccountUpdated, v)
		if err != nil {
			return err
		}
		return provider.Connect(c.t.Context(), tx, v, began)
	})
}

// handle runs the task once. It returns after which time it wants to run again, -1: it is done.
func (c *connecting) handle() time.Duration {
	c.t.Helper()
	err := c.connector.Handle(c.t.Context(), millrace.ConnectTask(c.v))
	var retry *millrace.RetryError
	switch {
	case errors.As(err, &retry) && retry.Err == nil:
		return retry.After
	case err != nil:
		c.t.Fatal(err)
	}
	return -1
}

func (c *connecting) row() *millrace.IntegratedAccount {
	c.t.Helper()
	var v *millrace.IntegratedAccount
	err := c.db.View(c.t.Context(), func(tx *store.Tx) error {
		var err error
		v, err = tx.Accounts().Get(c.t.Context(), c.v.EnvironmentID, c.v.ID)
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return v
}

// events are the names of the events so far.
func (c *connecting) events() string {
	c.t.Helper()
	var names []string
	err := c.db.View(c.t.Context(), func(tx *store.Tx) error {
		page, err := tx.Events().List(c.t.Context(), c.v.EnvironmentID, millrace.Query{Sort: []millrace.Sort{{Field: "created_at"}}})
		for i := range page.Result {
			_, name, _ := strings.Cut(page.Result[i].Name, ":")
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return strings.Join(names, " ")
}

func respond(status int, body string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

const minted = `{"value":"minted-secret","who":"ada","note":"secret-key-1 and minted-secret","session_token":"other"}`

func TestActionsOfAConnection(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := newConnecting(t, db)
		var calls []string
		c.respond = func(w http.ResponseWriter, r *http.Request) {
			calls = append(calls, r.URL.Path)
			respond(200, minted)(w, r)
		}
		if after := c.handle(); after != 0 || c.row().Status != millrace.AccountConnecting {
			t.Fatalf("after post_install: again in %v, %s", after, c.row().Status)
		}
		if after := c.handle(); after != -1 || c.queue.finished != 1 {
			t.Fatalf("after validation: again in %v, %d tasks finished", after, c.queue.finished)
		}
		v := c.row()
		if v.Status != millrace.AccountActive || v.Connection != "" || c.events() != "updated active" {
			t.Errorf("got %s, connection %q, events %s", v.Status, v.Connection, c.events())
		}
		if got := strings.Join(calls, " "); got != "/me /with/ada /check" {
			t.Errorf("requests: %s", got)
		}
		full, err := v.FullContext()
		if err != nil || full["minted"] != "minted-secret" || full["who"] != "ada" {
			t.Errorf("context: %v, %v", full, err)
		}
		for _, secret := range []string{"secret-key-1", "minted-secret", `"other"`} {
			if shown := string(v.LastActionRunResult) + string(v.Context); strings.Contains(shown, secret) {
				t.Errorf("%s is shown in %s", secret, shown)
			}
		}
		if after := c.handle(); after != -1 || len(calls) != 3 {
			t.Errorf("a task without a connection: again in %v, %d requests", after, len(calls))
		}
	})
}

func TestAConnectionEndsTheOneBeforeIt(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := newConnecting(t, db)
		c.respond = func(w http.ResponseWriter, r *http.Request) {
			c.respond = respond(200, `{"value":"second","who":"eve"}`)
			c.connect() // while the first request is under way
			respond(403, `{}`)(w, r)
		}
		if after := c.handle(); after != 0 {
			t.Fatalf("again in %v, want at once", after)
		}
		if v := c.row(); v.Status != millrace.AccountConnecting || v.LastActionRunResult != nil {
			t.Fatalf("the older connection has written %s %s", v.Status, v.LastActionRunResult)
		}
		for c.handle() == 0 {
		}
		if v := c.row(); v.Status != millrace.AccountActive || c.events() != "updated updated active" {
			t.Errorf("got %s, events %s", v.Status, c.events())
		}
	})
}

func TestAFailureOfAConnectionThatMayPass(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := newConnecting(t, db)
		c.respond = respond(503, `{"message":"secret-key-1 is busy"}`)
		after := c.handle()
		if after < 30*time.Second || after > time.Minute {
			t.Fatalf("again in %v, want half a minute to a minute", after)
		}
		if v := c.row(); v.Status != millrace.AccountConnecting || !strings.Contains(string(v.LastActionRunResult), "retry_at") {
			t.Fatalf("got %s %s", v.Status, v.LastActionRunResult)
		}
		if again := c.handle(); again <= 0 || again > after {
			t.Fatalf("a task that comes too early is to come again in %v", again)
		}
		c.now = c.now.Add(time.Minute)
		if after := c.handle(); after != -1 {
			t.Fatalf("again in %v, want the end", after)
		}
		v := c.row()
		if v.Status != millrace.AccountPostInstallError || c.events() != "updated post_install_error" || !strings.Contains(v.LastError, "step 1 of post_install (request): ") {
			t.Errorf("got %s, %q, events %s", v.Status, v.LastError, c.events())
		}
		if strings.Contains(v.LastError+string(v.LastActionRunResult), "secret-key-1") {
			t.Errorf("a secret is shown in %s %s", v.LastError, v.LastActionRunResult)
		}
		full, err := v.FullContext()
		if _, has := full["minted"]; has || err != nil {
			t.Errorf("an action that failed has written %v, %v", full, err)
		}
	})
}

func TestAConnectionWhoseEndIsNotStored(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := newConnecting(t, db)
		c.respond = respond(200, minted)
		ctx, stop := context.WithCancel(t.Context())
		c.respond = func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/with/ada" {
				stop() // the process ends
			}
			respond(200, minted)(w, r)
		}
		if err := c.connector.Handle(ctx, millrace.ConnectTask(c.v)); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v, want that it was cancelled", err)
		}
		if full, err := c.row().FullContext(); full["who"] != nil || err != nil {
			t.Fatalf("half an action has written %v, %v", full, err)
		}
		c.respond = respond(200, minted)
		for c.handle() == 0 {
		}
		if v := c.row(); v.Status != millrace.AccountActive || c.events() != "updated active" {
			t.Errorf("got %s, events %s", v.Status, c.events())
		}
	})
}
