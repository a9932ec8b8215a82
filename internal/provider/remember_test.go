package provider

import (
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// connected is an account on a database, as two nodes have it open.
type connected struct {
	t    *testing.T
	here *Fetcher // the node that makes the requests
	now  time.Time
	env  millrace.EnvironmentID
	id   millrace.IntegratedAccountID

	integration millrace.IntegrationID
	install     millrace.EnvironmentIntegrationID
}

func connect(t *testing.T, db *store.DB) *connected {
	t.Helper()
	c := &connected{t: t, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	logger := slog.New(slog.DiscardHandler)
	c.here = NewFetcher(db, nil, NewRateBudget(db, func() time.Time { return c.now }, logger, 0), logger, nil)
	c.update(db, func(tx *store.Tx) error {
		env := &millrace.Environment{Name: "test"}
		if err := tx.Environments().Create(t.Context(), env); err != nil {
			return err
		}
		integration := &millrace.Integration{EnvironmentID: env.ID, Name: "crm", Config: json.RawMessage(`{"base_url":"https://example.com"}`)}
		if err := tx.Integrations().Create(t.Context(), integration); err != nil {
			return err
		}
		install := &millrace.EnvironmentIntegration{EnvironmentID: env.ID, IntegrationID: integration.ID, IsEnabled: true}
		if err := tx.Installs().Create(t.Context(), install); err != nil {
			return err
		}
		a := &millrace.IntegratedAccount{EnvironmentID: env.ID, EnvironmentIntegrationID: install.ID, Status: millrace.AccountActive}
		err := tx.Accounts().Create(t.Context(), a)
		c.env, c.id, c.integration, c.install = env.ID, a.ID, integration.ID, install.ID
		return err
	})
	return c
}

func (c *connected) update(db *store.DB, fn func(*store.Tx) error) {
	c.t.Helper()
	if err := db.Update(c.t.Context(), fn); err != nil {
		c.t.Fatal(err)
	}
}

// changes are one of each kind. Each makes the account another one.
func (c *connected) changes() map[string]func(*store.Tx) error {
	ctx := c.t.Context()
	return map[string]func(*store.Tx) error{
		"account": func(tx *store.Tx) error {
			v, err := tx.Accounts().Get(ctx, c.env, c.id)
			if err != nil {
				return err
			}
			v.TenantID += "x"
			return tx.Accounts().Update(ctx, v)
		},
		"state of the account": func(tx *store.Tx) error {
			v, err := tx.Accounts().Get(ctx, c.env, c.id)
			if err != nil {
				return err
			}
			v.LastError += "x"
			_, err = tx.Accounts().Move(ctx, v, v.Status, v.UpdatedAt)
			return err
		},
		"installation": func(tx *store.Tx) error {
			v, err := tx.Installs().Get(ctx, c.env, c.install)
			if err != nil {
				return err
			}
			v.IsEnabled = !v.IsEnabled
			return tx.Installs().Update(ctx, v)
		},
		"integration": func(tx *store.Tx) error {
			v, err := tx.Integrations().Get(ctx, c.env, c.integration)
			if err != nil {
				return err
			}
			v.Category += "x"
			return tx.Integrations().Update(ctx, v)
		},
	}
}

func (c *connected) get(since time.Time) *loadedAccount {
	c.t.Helper()
	a, err := c.here.accountSince(c.t.Context(), c.env, c.id, since)
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

func TestAChangeHoldsForTheNextRequest(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		here, there := storetest.Open(t, url), storetest.Open(t, url)
		c := connect(t, here)
		for name, change := range c.changes() {
			since := c.now
			before := c.get(since)
			c.now = c.now.Add(trusted - time.Millisecond)
			if got := c.get(since); got != before {
				t.Errorf("%s: an account that was read a moment ago was read again", name)
			}
			c.update(here, change)
			changed := c.get(since)
			if changed == before {
				t.Errorf("%s: a change of this process was not seen", name)
			}
			c.update(there, change)
			if got := c.get(since); got != changed {
				t.Errorf("%s: each request asks the database", name)
			}
			c.now = c.now.Add(time.Microsecond)
			begun := c.get(c.now)
			if begun == changed {
				t.Errorf("%s: who began after a change of another node does not see it", name)
			}
			c.update(there, change)
			c.now = c.now.Add(trusted)
			if got := c.get(since); got == begun {
				t.Errorf("%s: a change of another node was not seen for %v", name, trusted)
			}
		}
		if err := here.Update(t.Context(), func(tx *store.Tx) error { return tx.Accounts().Delete(t.Context(), c.env, c.id) }); err != nil {
			t.Fatal(err)
		}
		if _, err := c.here.accountSince(t.Context(), c.env, c.id, time.Time{}); millrace.KindOf(err) != millrace.KindNotFound {
			t.Errorf("got %v for an account that was deleted", err)
		}
	})
}

func TestClocksThatMoveEndTrust(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for age, want := range map[time.Duration]bool{0: true, trusted - 1: true, trusted: false, time.Hour: false, -1: false} {
		if got := isRecent(at, at.Add(age)); got != want {
			t.Errorf("an age of %v: got %v, want %v", age, got, want)
		}
	}
}

func TestWhoChangesAnAccountWaitsForOtherNodes(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for n, node := range []string{"a", "b"} {
			if db.Postgres() != nil {
				if err := db.EnterNode(t.Context(), node, nil); err != nil {
					t.Fatal(err)
				}
			}
			shared, err := db.Shared(t.Context())
			if want := db.Postgres() != nil && n > 0; shared != want || err != nil {
				t.Fatalf("%d nodes: got %v, %v", n+1, shared, err)
			}
			began := time.Now()
			Settle(t.Context(), db)
			if took := time.Since(began); shared && took < trusted {
				t.Errorf("it took %v, want at least %v", took, trusted)
			}
		}
	})
}
