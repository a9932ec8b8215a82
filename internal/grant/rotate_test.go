package grant_test

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/millracetest/tokens"
	"github.com/millrace/millrace/internal/provider"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// TestTokensOfTwoSeconds calls 50 accounts over two nodes while their access tokens last two seconds and their refresh tokens are used
// once: not one renewal may be rejected.
func TestTokensOfTwoSeconds(t *testing.T) {
	t.Parallel()
	long, accounts := 5*time.Second, 10
	if n, err := strconv.Atoi(os.Getenv("MILLRACE_GRANTS_SECONDS")); err == nil {
		long, accounts = time.Duration(n)*time.Second, 50
	}
	storetest.EachURL(t, func(t *testing.T, url string) {
		server := tokens.Start()
		t.Cleanup(server.Close)
		server.Lifetime = 2 * time.Second
		dbs := []*store.DB{storetest.Open(t, url)}
		if strings.Contains(url, "://") {
			dbs = append(dbs, storetest.Open(t, url))
		} else {
			dbs = append(dbs, dbs[0])
		}
		config := strings.ReplaceAll(`{"base_url":"$URL",
"credentials":{"oauth2":{"format":"oauth2","config":{"client":{"id":"`+tokens.ClientID+`","secret":"`+tokens.ClientSecret+`"},"auth":{"tokenHost":"$URL","tokenPath":"/token","authorizePath":"/authorize"}}}},
"resources":{"things":{"list":{"method":"get","path":"/api"}}}}`, "$URL", server.URL)
		ids := make([]millrace.IntegratedAccountID, accounts)
		for i := range ids {
			access, refresh := server.Grant()
			ids[i] = connectAccount(t, dbs[0], config, []byte(`{"access_token":"`+access+`","refresh_token":"`+refresh+`","expires_in":2}`))
		}
		logger := slog.New(slog.DiscardHandler)
		proxies := make([]provider.Proxy, len(dbs))
		for i, db := range dbs {
			fetcher, err := fetch.New(fetch.FetcherConfig{Client: &http.Client{}})
			if err != nil {
				t.Fatal(err)
			}
			f := provider.NewFetcher(db, fetcher, provider.NewRateBudget(db, time.Now, logger, 0), logger, nil)
			k, err := keeperOf(db, logger, 10*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			f.RenewWith(k.Renew)
			proxies[i] = provider.NewProxy(f)
		}
		ctx, cancel := context.WithTimeout(t.Context(), long)
		defer cancel()
		var calls, failed atomic.Int64
		var group sync.WaitGroup
		for n := range 2 * accounts { // each account is called on each node
			group.Go(func() {
				for ctx.Err() == nil {
					r, err := proxies[n%2].Call(ctx, &provider.Call{EnvironmentID: env, AccountID: ids[n/2], Resource: "things", Method: "list"})
					switch {
					case err != nil && ctx.Err() != nil:
						return // the time is over
					case err != nil:
						t.Errorf("a call came to %v", err)
						return
					case r.Rejected != nil:
						failed.Add(1)
					}
					calls.Add(1)
					r.Lease.Release()
				}
			})
		}
		group.Wait()
		renewals := len(server.Requests())
		t.Logf("%d accounts, %s: %d calls, %d of them failed; %d renewals, %d rejected", accounts, long, calls.Load(), failed.Load(), renewals, server.Denied())
		if server.Denied() != 0 || renewals < accounts || calls.Load() < int64(renewals) {
			t.Error("want renewals of which none is rejected")
		}
	})
}
