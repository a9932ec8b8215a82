package grant_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/grant"
	"github.com/millrace/millrace/internal/millracetest/tokens"
	"github.com/millrace/millrace/internal/oauth"
	"github.com/millrace/millrace/internal/provider"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

const env = millrace.EnvironmentID("00000000-0000-4000-8000-000000000001")

// world is an account with a pair of tokens of a provider, and nodes that may renew it.
type world struct {
	t        *testing.T
	db       *store.DB
	provider *tokens.Server
	id       millrace.IntegratedAccountID
	log      strings.Builder
	mu       sync.Mutex
}

func (w *world) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(b)
}

// node returns what renews tokens on a node.
func (w *world) node(timeout time.Duration) *grant.Keeper {
	w.t.Helper()
	k, err := keeperOf(w.db, slog.New(slog.NewTextHandler(w, nil)), timeout)
	if err != nil {
		w.t.Fatal(err)
	}
	return k
}

func newWorld(t *testing.T, db *store.DB, options string) *world {
	t.Helper()
	w := &world{t: t, db: db, provider: tokens.Start()}
	t.Cleanup(w.provider.Close)
	access, refresh := w.provider.Grant()
	config := strings.NewReplacer("$URL", w.provider.URL, "$MORE", options).Replace(`{"base_url": "$URL", "credentials": {"oauth2": {"format": "oauth2", "config": {
"client": {"id": "` + tokens.ClientID + `", "secret": "` + tokens.ClientSecret + `"}, "auth": {"tokenHost": "$URL", "tokenPath": "/token", "authorizePath": "/authorize"}$MORE}}},
"resources": {"things": {"list": {"method": "get", "path": "/api"}}}}`)
	w.id = connectAccount(t, db, config, json.RawMessage(`{"access_token":"`+access+`","refresh_token":"`+refresh+`","expires_in":3600}`))
	return w
}

// connectAccount stores an account of an integration that has tokens of its provider.
func connectAccount(t *testing.T, db *store.DB, config string, token json.RawMessage) millrace.IntegratedAccountID {
	t.Helper()
	var id millrace.IntegratedAccountID
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		integration := &millrace.Integration{EnvironmentID: env, Name: "provider-" + millrace.NewID[string](), Config: json.RawMessage(config)}
		if err := tx.Integrations().Create(t.Context(), integration); err != nil {
			return err
		}
		install := &millrace.EnvironmentIntegration{EnvironmentID: env, IntegrationID: integration.ID, IsEnabled: true, Override: json.RawMessage("{}")}
		if err := tx.Installs().Create(t.Context(), install); err != nil {
			return err
		}
		v := &millrace.IntegratedAccount{
			EnvironmentID: env, TenantID: "acme", EnvironmentIntegrationID: install.ID, AuthenticationMethod: "oauth2", Status: millrace.AccountActive,
			Features: json.RawMessage("{}"), UnifiedModelOverride: json.RawMessage("{}"), IntegrationOverride: json.RawMessage("{}"),
		}
		if err := account.MergeContext(t.Context(), tx, v, json.RawMessage(`{"oauth":{"token":`+string(token)+`}}`)); err != nil {
			return err
		}
		if err := tx.Accounts().Create(t.Context(), v); err != nil {
			return err
		}
		id = v.ID //commit:allow the transaction of a test
		return account.Update(t.Context(), tx, v)
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (w *world) state() (*millrace.IntegratedAccount, *millrace.Grant, string, string) {
	w.t.Helper()
	var v *millrace.IntegratedAccount
	var g *millrace.Grant
	err := w.db.View(context.Background(), func(tx *store.Tx) error {
		var err error
		if v, err = tx.Accounts().Get(context.Background(), env, w.id); err != nil {
			return err
		}
		g, err = tx.Accounts().Grants().Get(context.Background(), env, w.id)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	full, err := v.FullContext()
	if err != nil {
		w.t.Fatal(err)
	}
	_, access, refresh := millrace.OAuthToken(full)
	return v, g, access, refresh
}

// skipWaits lets the next attempt come at once.
func (w *world) skipWaits() {
	w.t.Helper()
	err := w.db.Update(w.t.Context(), func(tx *store.Tx) error {
		g, err := tx.Accounts().Grants().Lock(w.t.Context(), env, w.id)
		if err != nil {
			return err
		}
		g.RetryAt = 0
		return tx.Accounts().Grants().Save(w.t.Context(), g)
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// noSecrets checks that nothing that was written or returned has a token in it.
func (w *world) noSecrets(more ...string) {
	w.t.Helper()
	_, _, access, refresh := w.state()
	w.mu.Lock()
	text := w.log.String() + strings.Join(more, "\n")
	w.mu.Unlock()
	for _, secret := range append(w.provider.Used(), access, refresh, tokens.ClientSecret) {
		if secret != "" && strings.Contains(text, secret) {
			w.t.Errorf("a secret is in %q", text)
		}
	}
}

func TestManyCallersOfTwoNodesMakeOneRequest(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		w := newWorld(t, storetest.Open(t, url), "")
		_, g, before, _ := w.state()
		nodes := []*grant.Keeper{w.node(time.Minute), w.node(time.Minute)}
		if strings.Contains(url, "://") { // two nodes have connections of their own
			var err error
			if nodes[1], err = keeperOf(storetest.Open(t, url), slog.New(slog.NewTextHandler(w, nil)), time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		w.provider.Next(tokens.Slow)
		var group sync.WaitGroup
		errs := make(chan error, 10_000)
		for i := range 10_000 {
			group.Go(func() { errs <- nodes[i%2].Renew(t.Context(), env, w.id, g.Generation) })
		}
		group.Wait()
		close(errs)
		for err := range errs {
			if err != nil {
				t.Fatalf("a caller got %v", err)
			}
		}
		_, after, access, refresh := w.state()
		n := len(w.provider.Requests())
		t.Logf("10000 callers on two nodes: %d request for a token", n)
		if n != 1 {
			t.Errorf("got %d requests for a token, want 1", n)
		}
		if access == before || after.Generation != g.Generation+1 || !w.provider.Alive(refresh) {
			t.Errorf("generation %d, the refresh token is alive: %v", after.Generation, w.provider.Alive(refresh))
		}
		w.noSecrets()
	})
}

// TestEachFaultHasItsOutcome lets each fault happen once and then asks again: what can be saved is.
func TestEachFaultHasItsOutcome(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, fault := range tokens.Faults() {
			t.Run(string(fault), func(t *testing.T) {
				w := newWorld(t, db, "")
				w.provider.Grace, w.provider.Rotate = time.Minute, fault != tokens.SameRefresh
				if fault == tokens.Nested {
					w.provider.Close()
					return // the config of this one says where the token is; see package oauth
				}
				k := w.node(2 * time.Second)
				_, g, _, _ := w.state()
				w.provider.Next(fault)
				err := k.Renew(t.Context(), env, w.id, g.Generation)
				var refused *provider.RefusedError
				var unsure *provider.UnsureError
				message := ""
				if err != nil {
					message = err.Error()
				}
				w.noSecrets(message)
				switch {
				case errors.As(err, &refused):
					if v, _, _, _ := w.state(); v.Status != millrace.AccountNeedsReauth || v.LastError == "" || fault != tokens.Denied && fault != tokens.DeniedOK && fault != tokens.NotOK {
						t.Errorf("%s rejects with %q, the account is %s: %q", fault, refused.Cause, v.Status, v.LastError)
					}
					return
				case errors.As(err, &unsure):
					if v, g, _, _ := w.state(); v.Status != millrace.AccountActive || unsure.Cause == "" || unsure.After <= 0 || g.LeaseUntil != 0 {
						t.Errorf("%s: %q, the account is %s", fault, unsure.Cause, v.Status)
					}
					w.skipWaits()
					if err := k.Renew(t.Context(), env, w.id, g.Generation); err != nil {
						t.Errorf("after %s: %v", fault, err)
					}
				case err != nil:
					t.Fatalf("%s: %v", fault, err)
				}
				v, g, _, refresh := w.state()
				if v.Status != millrace.AccountActive || !w.provider.Alive(refresh) || g.AttemptAt != 0 || g.Cause != "" {
					t.Errorf("after %s the account is %s, alive %v, the grant %+v", fault, v.Status, w.provider.Alive(refresh), g)
				}
			})
		}
	})
}

// A process that dies after it has stored the response and before it has read it leaves the pair to the next one.
func TestAStoredResponseIsNotLost(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, "")
		_, g, _, _ := w.state()
		raw, err := json.Marshal(oauth.Response{Status: 200, Header: map[string]string{"Content-Type": "application/json"}, Body: []byte(`{"access_token":"of-the-dead","refresh_token":"next-of-the-dead","expires_in":60}`)})
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(t.Context(), func(tx *store.Tx) error {
			g, err := tx.Accounts().Grants().Lock(t.Context(), env, w.id)
			if err != nil {
				return err
			}
			g.Response, g.AttemptAt, g.Attempts, g.Epoch = raw, tx.Now(), 1, g.Epoch+1
			return tx.Accounts().Grants().Save(t.Context(), g)
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.node(2*time.Second).Renew(t.Context(), env, w.id, g.Generation); err != nil {
			t.Fatal(err)
		}
		if _, _, access, refresh := w.state(); access != "of-the-dead" || refresh != "next-of-the-dead" || len(w.provider.Requests()) != 0 {
			t.Errorf("got %q and %q after %d requests", access, refresh, len(w.provider.Requests()))
		}
	})
}

// A response that is lost without grace costs the grant; its second is named, and the access token is used to its end.
func TestALostResponseIsNamed(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, "")
		k := w.node(2 * time.Second)
		_, g, _, _ := w.state()
		w.provider.Next(tokens.CutAfter)
		_ = k.Renew(t.Context(), env, w.id, g.Generation)
		_, lost, _, _ := w.state()
		w.skipWaits()
		err := k.Renew(t.Context(), env, w.id, g.Generation)
		var refused *provider.RefusedError
		if !errors.As(err, &refused) || !strings.Contains(refused.Cause, "was lost") || !strings.Contains(refused.Cause, lost.AttemptAt.Std().UTC().Format("15:04:05")) {
			t.Errorf("got %v, want a rejection that names %s", err, lost.AttemptAt)
		}
		if v, _, _, _ := w.state(); v.Status != millrace.AccountActive {
			t.Errorf("the account is %s although its access token has not ended", v.Status)
		}
		w.noSecrets(err.Error())
	})
}

// A client that stores another pair while a request is under way wins.
func TestAClientsPairWins(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, "")
		_, g, _, _ := w.state()
		w.provider.Next(tokens.Silence)
		done := make(chan error, 1)
		k := w.node(2 * time.Second)
		go func() { done <- k.Renew(t.Context(), env, w.id, g.Generation) }()
		for len(w.provider.Requests()) == 0 {
			time.Sleep(time.Millisecond) // until the request is there
		}
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			v, err := tx.Accounts().Get(t.Context(), env, w.id)
			if err != nil {
				return err
			}
			if err := account.MergeContext(t.Context(), tx, v, json.RawMessage(`{"oauth":{"token":{"access_token":"sent-by-client","refresh_token":"sent-as-well"}}}`)); err != nil {
				return err
			}
			return account.Update(t.Context(), tx, v)
		})
		if err != nil {
			t.Fatal(err)
		}
		w.provider.Release()
		if err := <-done; err != nil {
			t.Errorf("got %v, want nothing: there is a newer pair", err)
		}
		if _, _, access, refresh := w.state(); access != "sent-by-client" || refresh != "sent-as-well" {
			t.Errorf("got %q and %q", access, refresh)
		}
	})
}
