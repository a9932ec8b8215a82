package disconnect_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/disconnect"
	"github.com/millrace/millrace/internal/egress"
	"github.com/millrace/millrace/internal/oauth"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
	"github.com/millrace/millrace/internal/trigger"
)

const env = millrace.EnvironmentID("00000000-0000-4000-8000-000000000001")

// world has an integration whose provider takes tokens back.
type world struct {
	t       *testing.T
	db      *store.DB
	install millrace.EnvironmentIntegrationID
	given   atomic.Int64 // tokens that were given back
	ahead   atomic.Int64 // of the clock
	d       *disconnect.Disconnector
}

func newWorld(t *testing.T, url string, faults store.Faults) *world {
	t.Helper()
	w := &world{t: t}
	clock := func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }
	storetest.Prepare(t, url)
	db, err := store.Open(t.Context(), store.Config{URL: url, Cipher: storetest.Cipher{}, Clock: clock, Faults: faults})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	w.db = db
	db.SetQueue(storetest.NoQueue{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.FormValue("token") == "refresh-1" {
			w.given.Add(1)
		}
	}))
	t.Cleanup(server.Close)
	client, err := oauth.New(oauth.ClientConfig{Transport: egress.NewTransport(egress.TransportConfig{AllowLoopback: true}), Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	w.d = disconnect.New(disconnect.Config{DB: db, Client: client, Clock: clock, Logger: slog.New(slog.DiscardHandler)})
	w.update(func(tx *store.Tx) error {
		integration := &millrace.Integration{EnvironmentID: env, Name: "crm", Config: json.RawMessage(`{"credentials":{"oauth2":{"format":"oauth2","config":{
"client":{"id":"a","secret":"b"},"auth":{"tokenHost":"` + server.URL + `","tokenPath":"/token","authorizePath":"/authorize","revokePath":"/revoke"}}}}}`)}
		if err := tx.Integrations().Create(t.Context(), integration); err != nil {
			return err
		}
		install := &millrace.EnvironmentIntegration{EnvironmentID: env, IntegrationID: integration.ID, IsEnabled: true, Override: json.RawMessage("{}")}
		err := tx.Installs().Create(t.Context(), install)
		w.install = install.ID //commit:allow the transaction of a test
		return err
	})
	return w
}

func (w *world) update(fn func(*store.Tx) error) {
	w.t.Helper()
	if err := w.db.Update(w.t.Context(), fn); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) connect() millrace.IntegratedAccountID {
	w.t.Helper()
	none := json.RawMessage("{}")
	v := &millrace.IntegratedAccount{
		EnvironmentID: env, TenantID: "acme", EnvironmentIntegrationID: w.install, AuthenticationMethod: "oauth2", Status: millrace.AccountActive,
		Features: none, UnifiedModelOverride: none, IntegrationOverride: none,
	}
	w.update(func(tx *store.Tx) error {
		if err := account.MergeContext(w.t.Context(), tx, v, json.RawMessage(`{"oauth":{"token":{"access_token":"access-1","refresh_token":"refresh-1"}}}`)); err != nil {
			return err
		}
		return tx.Accounts().Create(w.t.Context(), v)
	})
	return v.ID
}

// leave deletes an account, as processes that may die at each place, until nothing is left to do.
func (w *world) leave(id millrace.IntegratedAccountID, where string) {
	w.t.Helper()
	matcher := trigger.NewMatcher(trigger.MatcherConfig{DB: w.db, Clock: func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }})
	for range 5 { // a client repeats a request that has failed
		err := w.db.Update(w.t.Context(), func(tx *store.Tx) error { return disconnect.Begin(w.t.Context(), tx, env, id) })
		if err == nil || millrace.KindOf(err) == millrace.KindNotFound {
			break
		}
		if !storetest.IsFault(err) {
			w.t.Fatalf("%s: %v", where, err)
		}
	}
	idle := false
	for range 200 {
		var open []millrace.Task
		err := w.db.View(w.t.Context(), func(tx *store.Tx) error {
			var err error
			open, err = tx.Tasks().Open(w.t.Context())
			return err
		})
		if err != nil {
			continue
		}
		left := 0
		for _, task := range open {
			switch task.Kind { //nolint:exhaustive // others do not disconnect
			case millrace.TaskMatch:
				err = matcher.Match(w.t.Context(), task)
			case millrace.TaskDisconnect:
				err = w.d.Handle(w.t.Context(), task)
			default:
				continue
			}
			left++
			if retry, ok := errors.AsType[*millrace.RetryError](err); err != nil && !storetest.IsFault(err) && (!ok || retry.Err != nil) {
				w.t.Fatalf("%s: %v", where, err)
			}
		}
		if left == 0 && idle {
			return
		}
		if idle = left == 0; idle {
			w.ahead.Add(int64(31 * time.Minute)) // of the longest pause between attempts
		}
	}
	w.t.Fatalf("%s: the disconnection does not end", where)
}

// A process that dies at any place of a disconnection leaves one that goes on: the account goes, once, and its token is given back.
func TestFaultsAtEveryPlaceOfADisconnection(t *testing.T) {
	t.Parallel()
	for _, listens := range []bool{false, true} {
		t.Run(fmt.Sprintf("with a workflow %v", listens), func(t *testing.T) {
			t.Parallel()
			storetest.EachURL(t, func(t *testing.T, url string) {
				faults := &storetest.Faults{}
				w := newWorld(t, url, faults)
				if listens {
					w.update(func(tx *store.Tx) error {
						return tx.Workflows().Create(t.Context(), &millrace.Workflow{
							EnvironmentID: env, TriggerName: millrace.EventAccountDeleting, Event: millrace.EventAccountDeleting,
							Config: millrace.WorkflowConfig{RunIf: "false", Steps: []millrace.Step{{Type: "run", Action: millrace.ActionRunSyncJob, Config: json.RawMessage(`{}`)}}},
						})
					})
				}
				try := func(place *storetest.Place) []storetest.Place {
					t.Helper()
					faults.At(nil)
					id, before := w.connect(), w.given.Load()
					faults.At(place)
					w.leave(id, fmt.Sprintf("%+v", place))
					struck := faults.Struck()
					if place == nil {
						struck = 1
					}
					places := faults.Places()
					faults.At(nil)
					accounts := storetest.Strings(t, w.db, "SELECT id FROM integrated_account")
					var events []string
					for _, payload := range storetest.Strings(t, w.db, "SELECT event || ' ' || payload FROM event") {
						if name, _, _ := strings.Cut(payload, " "); strings.Contains(payload, string(id)) {
							events = append(events, strings.TrimPrefix(name, "integrated_account:"))
						}
					}
					want := "deleted"
					if listens {
						want = "deleting deleted"
					}
					given := w.given.Load() - before
					if len(accounts) != 0 || len(events) != len(strings.Fields(want)) || given < 1 || given > 2 || struck != 1 {
						t.Errorf("%+v: left are the accounts %v, events %v, given back %d times, %d faults", place, accounts, events, given, struck)
					}
					return places
				}
				places := try(nil)
				if len(places) < 20 {
					t.Fatalf("a disconnection has the places %v, want more", places)
				}
				for i := range places {
					try(&places[i])
				}
			})
		})
	}
}
