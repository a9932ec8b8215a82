package provider

import (
	"context"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

const (
	// trusted is how long a sync job run makes requests with an account as it was read, while this process changes none.
	trusted = 200 * time.Millisecond
	// drift is by how much the clocks of two machines may differ in that time.
	drift = 20 * time.Millisecond
)

// remembered is an account with what is known of its age.
type remembered struct {
	account    *loadedAccount
	generation int64     // of the store, before it was read
	at         time.Time // before it was read
}

// account finds an account as stored now, or returns an error of KindNotFound when it is not of the environment.
func (f *Fetcher) account(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID) (*loadedAccount, error) {
	key, now := accountKey{env, id}, remembered{generation: f.db.Generation(), at: f.clock()}
	var revision store.AccountRevision
	err := f.db.View(ctx, func(tx *store.Tx) error {
		var err error
		revision, err = tx.Accounts().Revision(ctx, env, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	if known, ok := f.accounts.Get(key); ok && known.account.revision == revision {
		now.account = known.account
	} else {
		if now.account, err = f.load(ctx, env, id); err != nil {
			return nil, err
		}
		now.account.revision = revision // of before it was loaded: a change in between is seen at the next request
	}
	f.accounts.Set(key, now)
	return now.account, nil
}

// accountSince is account without a query where the account was read a moment ago, and not before since. Changes that this process
// has made are seen at once; [Settle] makes those who change an account wait for the others.
func (f *Fetcher) accountSince(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID, since time.Time) (*loadedAccount, error) {
	known, ok := f.accounts.Get(accountKey{env, id})
	if ok && known.generation == f.db.Generation() && !known.at.Before(since) && isRecent(known.at, f.clock()) {
		return known.account, nil
	}
	return f.account(ctx, env, id)
}

// isRecent asks the wall clock as well, since the other one stands still while a virtual machine does.
func isRecent(at, now time.Time) bool {
	age, wall := now.Sub(at), now.Round(0).Sub(at.Round(0))
	return age >= 0 && wall >= 0 && max(age, wall) < trusted
}

// Settle waits until no node makes a request with an account, an installation or an integration as it was before a change that is
// committed: for nothing while there is one node. The change holds for every request that is made after that.
func Settle(ctx context.Context, db *store.DB) {
	if shared, err := db.Shared(ctx); err == nil && !shared {
		return
	}
	timer := time.NewTimer(trusted + drift)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
