package grant_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/grant"
	"github.com/millrace/millrace/internal/millracetest/tokens"
	"github.com/millrace/millrace/internal/provider"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// proxy returns a node's proxy for the accounts of the world, which gets new tokens from a keeper.
func (w *world) proxy(db *store.DB) (provider.Proxy, *grant.Keeper) {
	w.t.Helper()
	logger := slog.New(slog.NewTextHandler(w, nil))
	fetcher, err := fetch.New(fetch.FetcherConfig{Client: &http.Client{Transport: &http.Transport{MaxConnsPerHost: 64}}})
	if err != nil {
		w.t.Fatal(err)
	}
	f := provider.NewFetcher(db, fetcher, provider.NewRateBudget(db, time.Now, logger, 0), logger, nil)
	k, err := keeperOf(db, logger, time.Minute)
	if err != nil {
		w.t.Fatal(err)
	}
	f.RenewWith(k.Renew)
	return provider.NewProxy(f), k
}

func (w *world) call(ctx context.Context, p provider.Proxy) (*provider.Response, error) {
	r, err := p.Call(ctx, &provider.Call{EnvironmentID: env, AccountID: w.id, Resource: "things", Method: "list"})
	if err == nil {
		r.Lease.Release()
	}
	return r, err
}

// TestManyCallsOfAnEndedTokenMakeOneRequest makes 1,000 calls, and 10,000 with make grants, through the proxies of two nodes while the access token has ended.
func TestManyCallsOfAnEndedTokenMakeOneRequest(t *testing.T) {
	t.Parallel()
	calls := 1000
	if os.Getenv("MILLRACE_GRANTS") != "" {
		calls = 10_000
	}
	storetest.EachURL(t, func(t *testing.T, url string) {
		w := newWorld(t, storetest.Open(t, url), "")
		first, _ := w.proxy(w.db)
		other := w.db
		if w.db.Postgres() != nil { // two nodes have connections of their own
			other = storetest.Open(t, url)
		}
		second, _ := w.proxy(other)
		if _, err := w.call(t.Context(), first); err != nil { // the provider has accepted the first token
			t.Fatal(err)
		}
		w.provider.ExpireAccess()
		w.provider.Next(tokens.Slow)
		var group sync.WaitGroup
		var failed atomic.Int64
		for i := range calls {
			p := []provider.Proxy{first, second}[i%2]
			group.Go(func() {
				if r, err := w.call(t.Context(), p); err != nil || r.Rejected != nil {
					failed.Add(1)
				}
			})
		}
		group.Wait()
		n := len(w.provider.Requests())
		t.Logf("%d calls on two nodes: %d request for a token, %d calls failed", calls, n, failed.Load())
		if n != 1 || failed.Load() != 0 || w.provider.Denied() != 0 {
			t.Error("want one request, and no call that fails")
		}
		w.noSecrets()
	})
}

// TestARejectedTokenIsReplacedOnce calls a provider that no longer takes what it has granted.
func TestARejectedTokenIsReplacedOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, "")
		p, _ := w.proxy(db)
		call := func() *provider.Response {
			r, err := w.call(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		if r := call(); r.Rejected != nil {
			t.Fatalf("the first call: %+v", r.Rejected)
		}
		w.provider.ExpireAccess()
		if r := call(); r.Rejected != nil || len(w.provider.Requests()) != 1 {
			t.Fatalf("after the token has ended: %+v, %d requests for another", r.Rejected, len(w.provider.Requests()))
		}
		w.provider.Revoke()
		if r := call(); r.Rejected == nil {
			t.Error("a call that the provider rejects has succeeded")
		}
		v, _, _, _ := w.state()
		if v.Status != millrace.AccountNeedsReauth || v.LastError == "" {
			t.Errorf("the account is %s: %q", v.Status, v.LastError)
		}
		asked := len(w.provider.Requests())
		for range 3 {
			call()
		}
		if more := len(w.provider.Requests()) - asked; more != 0 {
			t.Errorf("calls of an account that must be connected again made %d more requests for tokens", more)
		}
		w.noSecrets()
	})
}

// TestAStoppedKeeperEndsWhatItHasBegun stops a node while it waits for a token endpoint: the response is stored, and nothing else begins.
func TestAStoppedKeeperEndsWhatItHasBegun(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, "")
		k := w.node(time.Minute)
		_, g, before, _ := w.state()
		begun := make(chan struct{})
		k.OnStep(func(line string) {
			if line == "claimed" {
				close(begun)
			}
		})
		w.provider.Next(tokens.Slow)
		renewed := make(chan error, 1)
		go func() { renewed <- k.Renew(context.WithoutCancel(t.Context()), env, w.id, g.Generation) }()
		<-begun
		k.Stop(t.Context())
		if err := <-renewed; err != nil {
			t.Errorf("what was under way came to %v", err)
		}
		if _, after, access, _ := w.state(); access == before || after.Generation != g.Generation+1 {
			t.Errorf("the pair was not stored: generation %d", after.Generation)
		}
		if err := k.Renew(t.Context(), env, w.id, g.Generation+1); !errors.Is(err, grant.ErrStopped) {
			t.Errorf("a stopped keeper began another renewal: %v", err)
		}
	})
}
