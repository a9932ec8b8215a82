package provider_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/provider"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
	"github.com/millrace/millrace/internal/syncjob"
)

// What a provider forbids an account, and that it allows it again, is written down in one commit. Wherever the database fails, the
// request fails with it, the account says what it said before or what is true now, and the next request makes it right.
func TestForbiddenIsWrittenWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		var faults storetest.Faults
		db := faults.Open(t, url)
		var status atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(int(status.Load()))
			_, _ = w.Write([]byte(`[]`))
		}))
		t.Cleanup(server.Close)
		client, err := fetch.New(fetch.FetcherConfig{Client: server.Client()})
		if err != nil {
			t.Fatal(err)
		}
		logger := slog.New(slog.DiscardHandler)
		v := &millrace.IntegratedAccount{Status: millrace.AccountActive, TenantID: "acme"}
		err = db.Update(t.Context(), func(tx *store.Tx) error {
			env := &millrace.Environment{Name: "test"}
			if err := tx.Environments().Create(t.Context(), env); err != nil {
				return err
			}
			integration := &millrace.Integration{EnvironmentID: env.ID, Name: "crm", Config: json.RawMessage(`{"base_url":"` + server.URL + `","resources":{"deals":{"list":{"path":"/deals"}}}}`)}
			if err := tx.Integrations().Create(t.Context(), integration); err != nil {
				return err
			}
			install := &millrace.EnvironmentIntegration{EnvironmentID: env.ID, IntegrationID: integration.ID, IsEnabled: true}
			if err := tx.Installs().Create(t.Context(), install); err != nil {
				return err
			}
			v.EnvironmentID, v.EnvironmentIntegrationID = env.ID, install.ID //commit:allow the test fails with the transaction
			return tx.Accounts().Create(t.Context(), v)
		})
		if err != nil {
			t.Fatal(err)
		}
		// A process that has died remembers nothing.
		ask := func(with int) error {
			status.Store(int64(with))
			f := provider.NewFetcher(db, client, provider.NewRateBudget(db, time.Now, logger, 0), logger, nil)
			out, err := f.Fetch(t.Context(), syncjob.FetchRequest{EnvironmentID: v.EnvironmentID, AccountID: v.ID, Resource: "deals", Method: "list"})
			out.Lease.Release()
			return err
		}
		stored := func() string {
			var row *millrace.IntegratedAccount
			err := db.View(t.Context(), func(tx *store.Tx) error {
				var err error
				row, err = tx.Accounts().Get(t.Context(), v.EnvironmentID, v.ID)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			var last millrace.ForbiddenError
			if len(row.LastForbiddenError) > 0 {
				if err := json.Unmarshal(row.LastForbiddenError, &last); err != nil {
					t.Fatal(err)
				}
			}
			return fmt.Sprintf("%s %s %s", row.Status, last.Resource, last.Method)
		}
		before := map[int]string{http.StatusForbidden: "active  ", http.StatusOK: "active deals list"}
		after := map[int]string{http.StatusForbidden: "active deals list", http.StatusOK: "active  "}
		struck := 0
		for _, with := range []int{http.StatusForbidden, http.StatusOK} {
			other := http.StatusForbidden + http.StatusOK - with
			faults.At(nil)
			if err := ask(with); err != nil || stored() != after[with] {
				t.Fatalf("%d without faults: got %q, %v", with, stored(), err)
			}
			for _, place := range faults.Places() {
				faults.At(nil)
				if err := ask(other); err != nil || stored() != before[with] {
					t.Fatalf("%d before %+v: got %q, %v", other, place, stored(), err)
				}
				faults.At(&place)
				err := ask(with)
				faults.At(nil)
				if err != nil {
					struck++
				}
				if got := stored(); got != after[with] && (err == nil || got != before[with]) {
					t.Errorf("%d, %+v: got %q, %v", with, place, got, err)
				}
				if err := ask(with); err != nil || stored() != after[with] {
					t.Errorf("%d again, after %+v: got %q, %v", with, place, stored(), err)
				}
			}
		}
		if struck < 8 {
			t.Errorf("%d requests failed with the database, want the statements and the commits of both", struck)
		}
	})
}
