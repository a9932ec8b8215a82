package provider

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/store"
)

// RefusedError says that a provider does not grant an account another pair of tokens: it must be connected again.
type RefusedError struct{ Cause string }

// Error returns the cause in words.
func (e *RefusedError) Error() string { return e.Cause }

// UnsureError says that it is not known whether a provider would grant an account another pair of tokens. Its tokens are as they were.
type UnsureError struct {
	Cause string
	After time.Duration // when the next request may be made
}

// Error returns the cause in words.
func (e *UnsureError) Error() string { return e.Cause }

// Renew gets an account another pair of tokens, unless it has a newer one than that of a generation by now. It returns a
// [*RefusedError] or an [*UnsureError] when there is none.
type Renew func(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID, generation int64) error

// unproven is how long an access token that the provider has never accepted is not replaced because of a 401: another one would not be
// accepted either.
const unproven = 5 * time.Minute

// renewable reports whether another pair of tokens can be asked for without the customer.
func (a *loadedAccount) renewable() bool {
	if a.grant == nil || a.oauth() == nil {
		return false
	}
	_, _, refresh := millrace.OAuthToken(a.full)
	return refresh != "" || len(a.config.Actions[config.ActionRefresh]) > 0 || a.row.AuthenticationMethod != config.FormatOAuth2
}

// oauth says how the tokens of the account are asked for; nil: they are not.
func (a *loadedAccount) oauth() *config.OAuth {
	return a.config.Credentials[a.row.AuthenticationMethod].OAuth
}

// mayRenew reports whether a 401 may lead to a renewal: not if the token is new, unless it expired on the way.
func (a *loadedAccount) mayRenew(now time.Time) bool {
	return a.renewable() && (a.grant.Used || a.accepted.Load() || a.due(now) || now.Sub(a.grant.GrantedAt.Std()) > unproven)
}

// ensureToken returns an account with an access token that has not ended. Without one there is the outcome of the request that cannot be
// made.
func (f *Fetcher) ensureToken(ctx context.Context, a *loadedAccount) (*loadedAccount, *fetch.Outcome, error) {
	if f.renew == nil || !a.renewable() || !a.due(f.clock()) {
		return a, nil, nil
	}
	next, stop, err := f.renewed(ctx, a)
	if stop != nil && stop.Kind == fetch.KindNetworkError && f.clock().Before(a.grant.ExpiresAt.Std()) {
		return a, nil, nil // it is still good for a moment
	}
	return next, stop, err
}

func (a *loadedAccount) due(now time.Time) bool {
	_, access, _ := millrace.OAuthToken(a.full)
	return access == "" || account.IsDue(a.grant, now)
}

// renewed returns an account with another pair of tokens.
func (f *Fetcher) renewed(ctx context.Context, a *loadedAccount) (*loadedAccount, *fetch.Outcome, error) {
	err := f.renew(ctx, a.row.EnvironmentID, a.row.ID, a.grant.Generation)
	var refused *RefusedError
	var unsure *UnsureError
	switch {
	case errors.As(err, &refused):
		return a, &fetch.Outcome{Kind: fetch.KindUnauthorized, Status: http.StatusUnauthorized, Message: refused.Cause}, nil
	case errors.As(err, &unsure):
		return a, &fetch.Outcome{
			Kind: fetch.KindNetworkError, ErrorClass: fetch.ClassToken, Message: "there is no access token: " + unsure.Cause, RetryAfter: unsure.After,
		}, nil
	case err != nil:
		return a, nil, err
	}
	next, err := f.account(ctx, a.row.EnvironmentID, a.row.ID)
	if err == nil {
		err = next.usable()
	}
	return next, nil, err
}

// accept writes down, once, that the provider has accepted an access token: what came before it is not needed any more, and from now on
// it is replaced before it ends.
func (f *Fetcher) accept(ctx context.Context, a *loadedAccount, o *fetch.Outcome) {
	g := a.grant
	if g == nil || o.Kind != fetch.KindOK || o.Foreign || g.Used || !a.accepted.CompareAndSwap(false, true) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), healthTimeout)
	defer cancel()
	err := f.db.Update(ctx, func(tx *store.Tx) error {
		now, err := tx.Accounts().Grants().Lock(ctx, g.EnvironmentID, g.ID)
		if err != nil || now.Generation != g.Generation || now.Used {
			return err
		}
		now.Used, now.Previous = true, ""
		account.PlanRefresh(now, tx.Now().Std(), a.row.AuthenticationMethod == config.FormatOAuth2 && a.renewable(), a.oauth())
		if err := tx.Accounts().Grants().Save(ctx, now); err != nil || now.RefreshAt == 0 {
			return err
		}
		return tx.Enqueue(ctx, account.RefreshTask(now))
	})
	if err != nil {
		a.accepted.Store(false)
		f.logger.WarnContext(ctx, "it is not stored that an access token was accepted", slog.Any("err", err))
	}
}
