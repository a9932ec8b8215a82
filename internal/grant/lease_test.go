package grant_test

import (
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/egress"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/grant"
	"github.com/millrace/millrace/internal/millracetest/tokens"
	"github.com/millrace/millrace/internal/oauth"
	"github.com/millrace/millrace/internal/provider"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// endLease has the lease of whoever holds it end.
func (w *world) endLease() {
	w.t.Helper()
	err := w.db.Update(w.t.Context(), func(tx *store.Tx) error {
		g, err := tx.Accounts().Grants().Lock(w.t.Context(), env, w.id)
		if err != nil {
			return err
		}
		if g.LeaseUntil == 0 {
			w.t.Error("nobody holds the lease")
		}
		g.LeaseUntil = 1
		return tx.Accounts().Grants().Save(w.t.Context(), g)
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// A holder that stands still for longer than its lease changes nothing any more of what the next one has stored, wherever it stood.
func TestALostLease(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, c := range []struct {
			name, line string
			fault      tokens.Fault // what the first holder gets
			holds      bool         // the next one is still at work when the first one goes on
		}{
			{"before the request", "claimed", "", false},
			{"with a pair", "sent", "", false},
			{"with a stored pair", "kept", "", false},
			{"with a rejection", "sent", tokens.Denied, false},
			{"with a rejection while the next one works", "sent", tokens.Denied, true},
			{"without an outcome while the next one works", "sent", tokens.Page, true},
		} {
			t.Run(c.name, func(t *testing.T) {
				w := newWorld(t, db, "")
				w.provider.Rotate, w.provider.Grace = true, time.Minute
				_, g, _, _ := w.state()
				pause := func(k *grant.Keeper, line string) (stands, goes chan struct{}) {
					stands, goes = make(chan struct{}), make(chan struct{})
					var once atomic.Bool
					k.OnStep(func(at string) {
						if at == line && once.CompareAndSwap(false, true) {
							close(stands)
							<-goes
						}
					})
					return stands, goes
				}
				renew := func(k *grant.Keeper) chan error {
					done := make(chan error, 1)
					go func() { done <- k.Renew(t.Context(), env, w.id, g.Generation) }()
					return done
				}
				if c.fault != "" {
					w.provider.Next(c.fault)
				}
				one, two := w.node(10*time.Second), w.node(10*time.Second)
				stands, goes := pause(one, c.line)
				first := renew(one)
				<-stands
				w.endLease()
				var second chan error
				if c.holds {
					stands, goesOn := pause(two, "claimed")
					second = renew(two)
					<-stands
					close(goes)
					if err := <-first; err == nil {
						t.Error("the first holder has an outcome")
					}
					if v, _, _, _ := w.state(); v.Status != millrace.AccountActive {
						t.Errorf("without its lease it has made the account %s", v.Status)
					}
					close(goesOn)
				} else {
					second = renew(two)
				}
				if err := <-second; err != nil {
					t.Fatalf("the second holder: %v", err)
				}
				_, _, access, refresh := w.state()
				if !c.holds {
					close(goes)
					if err := <-first; err != nil {
						t.Logf("the first holder: %v", err) // it has been told that it is too late
					}
				}
				v, after, nowAccess, nowRefresh := w.state()
				if v.Status != millrace.AccountActive || after.Generation != g.Generation+1 || nowAccess != access || nowRefresh != refresh || !w.provider.Alive(refresh) || after.LeaseUntil != 0 {
					t.Errorf("the account is %s, the pair has changed: %v, it is alive: %v, the grant %+v", v.Status, nowAccess != access, w.provider.Alive(refresh), after)
				}
			})
		}
	})
}

// A clock that jumps by an hour, either way and at any time, loses no account and has nothing wait for an hour.
func TestAClockThatJumps(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		var ahead atomic.Int64
		clock := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		storetest.Prepare(t, url)
		db, err := store.Open(t.Context(), store.Config{URL: url, Cipher: storetest.Cipher{}, Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		db.SetQueue(storetest.NoQueue{})
		for _, jump := range []time.Duration{time.Hour, -time.Hour} {
			w := newWorld(t, db, "")
			w.provider.Rotate, w.provider.Grace = true, time.Minute
			node := func() *grant.Keeper {
				client, err := oauth.New(oauth.ClientConfig{Transport: egress.NewTransport(egress.TransportConfig{AllowLoopback: true}), Timeout: 10 * time.Second})
				if err != nil {
					t.Fatal(err)
				}
				fetcher, err := fetch.New(fetch.FetcherConfig{Client: &http.Client{}})
				if err != nil {
					t.Fatal(err)
				}
				logger := slog.New(slog.NewTextHandler(w, nil))
				accounts := provider.NewFetcher(db, fetcher, provider.NewRateBudget(db, clock, logger, 0), logger, nil)
				return grant.New(grant.Config{DB: db, Client: client, Configs: accounts.Config, Clock: clock, Logger: logger})
			}
			renewed := func(what string, k *grant.Keeper) {
				t.Helper()
				_, g, _, _ := w.state()
				if err := k.Renew(t.Context(), env, w.id, g.Generation); err != nil {
					t.Errorf("%v, %s: %v", jump, what, err)
				}
				v, after, _, refresh := w.state()
				if v.Status != millrace.AccountActive || after.Generation != g.Generation+1 || !w.provider.Alive(refresh) || after.LeaseUntil != 0 || after.RetryAt != 0 {
					t.Errorf("%v, %s: the account is %s, the grant %+v", jump, what, v.Status, after)
				}
			}
			for _, line := range []string{"claimed", "sent", "kept", "taking"} {
				k := node()
				k.OnStep(func(at string) {
					if at == line {
						ahead.Add(int64(jump))
					}
				})
				renewed("at "+line, k)
				ahead.Store(0)
			}

			w.provider.Next(tokens.ServerError)
			_, g, _, _ := w.state()
			var unsure *provider.UnsureError
			if err := node().Renew(t.Context(), env, w.id, g.Generation); !errors.As(err, &unsure) {
				t.Errorf("%v: got %v, want an outcome that is not known", jump, err)
			}
			ahead.Add(int64(jump))
			renewed("while it waits for the next attempt", node())
			ahead.Store(0)

			// A node dies with its lease; the clock jumps; the time of a lease later it is free.
			err := db.Update(t.Context(), func(tx *store.Tx) error {
				g, err := tx.Accounts().Grants().Lock(t.Context(), env, w.id)
				if err != nil {
					return err
				}
				g.LeaseUntil, g.Epoch = tx.Now().Add(45*time.Second), g.Epoch+1
				return tx.Accounts().Grants().Save(t.Context(), g)
			})
			if err != nil {
				t.Fatal(err)
			}
			ahead.Add(int64(jump))
			done := make(chan struct{})
			go func() {
				defer close(done)
				renewed("with the lease of a node that has died", node())
			}()
			for _, g, _, _ := w.state(); g.LeaseUntil.Std().Sub(clock()) > 45*time.Second; _, g, _, _ = w.state() {
				time.Sleep(time.Millisecond) // until it is noticed that the lease lies too far ahead
			}
			ahead.Add(int64(46 * time.Second))
			<-done
			ahead.Store(0)
		}
	})
}
