package connect_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/connect"
	"github.com/millrace/millrace/internal/egress"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/millracetest/tokens"
	"github.com/millrace/millrace/internal/oauth"
	"github.com/millrace/millrace/internal/provider"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// world has an integration that is connected by OAuth, its provider, and a customer.
type world struct {
	t        *testing.T
	db       *store.DB
	flow     *connect.Flow
	provider *tokens.Server
	env      millrace.EnvironmentID
	ahead    atomic.Int64 // of the clock
}

func newWorld(t *testing.T, database string, faults store.Faults) *world {
	t.Helper()
	w := &world{t: t, provider: tokens.Start()}
	t.Cleanup(w.provider.Close)
	w.provider.Redirect = map[string][]string{"realmId": {"company-1"}}
	storetest.Prepare(t, database)
	db, err := store.Open(t.Context(), store.Config{URL: database, Cipher: storetest.Cipher{}, Clock: w.clock, Faults: faults})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetQueue(storetest.NoQueue{})
	w.db = db
	transport := egress.NewTransport(egress.TransportConfig{AllowLoopback: true})
	client, err := oauth.New(oauth.ClientConfig{Transport: transport, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.DiscardHandler)
	fetcher, err := fetch.New(fetch.FetcherConfig{Client: &http.Client{Transport: transport}, Clock: w.clock})
	if err != nil {
		t.Fatal(err)
	}
	accounts := provider.NewFetcher(db, fetcher, provider.NewRateBudget(db, w.clock, logger, 0), logger, nil)
	w.flow = connect.New(connect.Config{
		DB: db, Client: client, Configs: accounts.Config, Clock: w.clock, Logger: logger, PublicURL: func() string { return "https://millrace.example.com" },
		Test: func(context.Context, provider.Candidate) (*provider.Rejection, error) { return nil, nil },
	})
	w.update(func(tx *store.Tx) error {
		made := &millrace.Environment{Name: "test"}
		if err := tx.Environments().Create(t.Context(), made); err != nil {
			return err
		}
		w.env = made.ID //commit:allow a test
		integration := &millrace.Integration{EnvironmentID: w.env, Name: "crm", Config: json.RawMessage(strings.ReplaceAll(`{"label": "CRM", "base_url": "$", "credentials": {"oauth2": {
"format": "oauth2", "config": {"client": {"id": "`+tokens.ClientID+`", "secret": "`+tokens.ClientSecret+`"}, "auth": {"tokenHost": "$", "tokenPath": "/token",
"authorizeHost": "$", "authorizePath": "/authorize"}, "keep": {"redirect": ["realmId"]}, "identity": "redirect.realmId"}}}}`, "$", w.provider.URL))}
		if err := tx.Integrations().Create(t.Context(), integration); err != nil {
			return err
		}
		return tx.Installs().Create(t.Context(), &millrace.EnvironmentIntegration{
			EnvironmentID: w.env, IntegrationID: integration.ID, IsEnabled: true, ShowInCatalog: true, Override: json.RawMessage("{}"),
		})
	})
	return w
}

func (w *world) clock() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

func (w *world) update(fn func(*store.Tx) error) {
	w.t.Helper()
	if err := w.db.Update(w.t.Context(), fn); err != nil {
		w.t.Fatal(err)
	}
}

// customer has a link token, and the redirect of a provider that has allowed the connection.
type customer struct {
	token, session string
	redirect       url.Values
}

const browser = "0123456789012345678901234567890123456789012"

// begin brings a customer to the redirect; with a session it is once more, with the same token.
func (w *world) begin(token string) *customer {
	w.t.Helper()
	c := &customer{token: token}
	if token == "" {
		w.update(func(tx *store.Tx) error {
			var err error
			c.token, err = connect.NewLink(w.t.Context(), tx, &millrace.LinkToken{EnvironmentID: w.env, TenantID: "acme", Context: json.RawMessage(`{"plan":"gold"}`)}) //commit:allow a test
			return err
		})
	}
	link, err := w.flow.Open(w.t.Context(), c.token)
	if err != nil {
		w.t.Fatal(err)
	}
	step, err := w.flow.Begin(w.t.Context(), link, connect.Attempt{Integration: "crm", Method: "oauth2", Fields: url.Values{}, Browser: browser})
	if err != nil {
		w.t.Fatal(err)
	}
	c.session = step.Session
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, step.Redirect, http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		w.t.Fatal(err)
	}
	_ = response.Body.Close()
	back, err := response.Location()
	if err != nil {
		w.t.Fatal(err)
	}
	c.redirect = back.Query()
	return c
}

// look is what the customer's page shows.
func (w *world) look(c *customer) *connect.Status {
	w.t.Helper()
	s, err := w.flow.Look(w.t.Context(), c.session, browser)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// stored returns the accounts that were made since there were so many events, and these events.
func (w *world) stored(before int) (accounts, events []string) {
	w.t.Helper()
	for _, line := range storetest.Strings(w.t, w.db, "SELECT event || ' ' || payload FROM event ORDER BY created_at, id")[before:] {
		name, _, _ := strings.Cut(line, " ")
		events = append(events, name)
	}
	return storetest.Strings(w.t, w.db, "SELECT id FROM integrated_account"), events
}

// A server that dies at any place between the provider's redirect and the account loses nothing that can be kept: before the token endpoint
// was asked the customer begins again, by the same link token; once its response is stored the connection goes on, with the tokens of that one request.
func TestFaultsAtEveryPlaceOfARedirect(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, database string) {
		faults := &storetest.Faults{}
		w := newWorld(t, database, faults)
		outcomes := map[string]int{}
		try := func(place *storetest.Place) []storetest.Place {
			t.Helper()
			faults.At(nil)
			earlierAccounts := storetest.Strings(t, w.db, "SELECT id FROM integrated_account")
			w.update(func(tx *store.Tx) error {
				for _, id := range earlierAccounts {
					if err := tx.Accounts().Delete(t.Context(), w.env, millrace.IntegratedAccountID(id)); err != nil {
						return err
					}
				}
				return nil
			})
			c, asked := w.begin(""), len(w.provider.Requests())
			_, earlier := w.stored(0)
			faults.DieAt(place)
			_, err := w.flow.Callback(t.Context(), "crm", c.redirect, browser)
			places, struck := faults.Places(), faults.Struck()
			faults.At(nil)
			if (place == nil) != (err == nil) || (place == nil) != (struck == 0) {
				t.Errorf("%+v: the redirect ended with %v, %d faults", place, err, struck)
			}
			first := w.look(c)
			w.ahead.Add(int64(3 * time.Minute)) // no server works on it any more
			s := w.look(c)
			requests := len(w.provider.Requests()) - asked
			how := fmt.Sprintf("%s, then %s %s, %d requests", first.State, s.State, s.Message, requests)
			outcomes[how]++
			switch how {
			case "connected, then connected , 1 requests": // the account was stored
			case "working, then connected , 1 requests": // it goes on with the stored response
			case "working, then failed interrupted, 0 requests", "working, then failed interrupted, 1 requests":
				if !s.Again {
					t.Errorf("%+v: the customer may not begin again", place)
				}
				c = w.begin(c.token)
				if _, err := w.flow.Callback(t.Context(), "crm", c.redirect, browser); err != nil {
					t.Errorf("%+v: begun again, it ends with %v", place, err)
				}
				s = w.look(c)
			case "open, then open , 0 requests": // nothing has happened: the browser loads the redirect again
				if _, err := w.flow.Callback(t.Context(), "crm", c.redirect, browser); err != nil {
					t.Errorf("%+v: loaded again, it ends with %v", place, err)
				}
				s = w.look(c)
			default:
				t.Errorf("%+v: %s", place, how)
			}
			accounts, events := w.stored(len(earlier))
			if len(accounts) != 1 || s.State != connect.StateConnected || string(s.AccountID) != accounts[0] || !slices.Equal(events, []string{millrace.EventAccountCreated, millrace.EventAccountActive}) {
				t.Fatalf("%+v: %s: in the end %s with the account %q, stored %v, events %v", place, how, s.State, s.AccountID, accounts, events)
			}
			w.holds(s.AccountID, place)
			if left := storetest.Strings(t, w.db, "SELECT id FROM connect_session WHERE integrated_account_id = '"+accounts[0]+"' AND (LENGTH(secrets) > 60 OR LENGTH(response) > 60)"); len(left) > 0 {
				t.Errorf("%+v: secrets of the session %v are left", place, left)
			}
			return places
		}
		places := try(nil)
		if len(places) < 15 {
			t.Fatalf("a redirect has the places %v, want more", places)
		}
		for i := range places {
			try(&places[i])
		}
		t.Logf("%d places: %v", len(places), outcomes)
		for _, want := range []string{"working, then connected , 1 requests", "working, then failed interrupted, 0 requests", "working, then failed interrupted, 1 requests", "open, then open , 0 requests"} {
			if outcomes[want] == 0 {
				t.Errorf("no place came to %q", want)
			}
		}
	})
}

// holds checks that an account has tokens that work, and what came by the redirect.
func (w *world) holds(id millrace.IntegratedAccountID, place *storetest.Place) {
	w.t.Helper()
	v, err := store.Compute(w.t.Context(), w.db, func(tx *store.Tx) (*millrace.IntegratedAccount, error) {
		return tx.Accounts().Get(w.t.Context(), w.env, id)
	})
	if err != nil {
		w.t.Fatal(err)
	}
	context, err := v.FullContext()
	if err != nil {
		w.t.Fatal(err)
	}
	o, _ := context["oauth"].(map[string]any)
	token, _ := o["token"].(map[string]any)
	refresh, _ := token["refresh_token"].(string)
	if context["realmId"] != "company-1" || context["provider_identity"] != "company-1" || context["plan"] != "gold" || !w.provider.Alive(refresh) {
		w.t.Errorf("%+v: the account has the context %v", place, context)
	}
	at, err := time.Parse(time.RFC3339, fmt.Sprint(token["expires_at"]))
	if left := at.Sub(w.clock()); err != nil || left > time.Hour || left < 30*time.Minute {
		w.t.Errorf("%+v: its token ends at %v, in %s, %v", place, token["expires_at"], left, err)
	}
}
