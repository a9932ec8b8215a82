package account

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/store"
)

// HasTokens reports whether accounts of a method of authentication are used with a token that the provider grants.
func HasTokens(method string) bool {
	return slices.Contains([]string{"oauth2", "oauth2_client_credentials", "keka_oauth", "jwt", "session_token"}, method)
}

// The time of a pair of tokens at which another is asked for.
const (
	maxAhead  = 5 * time.Minute // before the access token expires, at most
	maxMargin = 10 * time.Second
	idleAfter = 24 * time.Hour // how often the pair of an unused account is replaced, unless its config has a limit
)

// PlanRefresh sets when the next pair is asked for ahead of need: before the access token ends, with jitter,
// and rarely while the account is unused. o says how long the provider keeps a refresh token that is not
// used; nil: it is not known.
func PlanRefresh(g *millrace.Grant, now time.Time, refreshable bool, o *config.OAuth) {
	g.RefreshAt = 0
	if !refreshable {
		return
	}
	wait, idle, margin := idleAfter, time.Duration(0), time.Duration(0)
	if o != nil {
		idle, margin = o.IdleLimit, o.Margin
	}
	if idle > 0 {
		wait = min(wait, idle/2)
	}
	if life := g.ExpiresAt.Std().Sub(g.GrantedAt.Std()); g.ExpiresAt > 0 && g.Used {
		ahead := min(maxAhead, life/5)
		if margin > 0 {
			ahead = min(margin, life/2)
		}
		wait = life - ahead - time.Duration(rand.Float64()*float64(ahead)/2) - now.Sub(g.GrantedAt.Std()) //nolint:gosec // it spreads the accounts
	} else if g.ExpiresAt == 0 && idle == 0 {
		return
	}
	g.RefreshAt = millrace.TimeOf(now.Add(max(wait, 0)))
}

// IsDue reports whether the access token of a pair has expired, or is about to.
func IsDue(g *millrace.Grant, now time.Time) bool {
	if g == nil || g.ExpiresAt == 0 {
		return false
	}
	margin := min(maxMargin, g.ExpiresAt.Std().Sub(g.GrantedAt.Std())/10)
	return !now.Before(g.ExpiresAt.Std().Add(-margin))
}

// RefreshTask returns the task that asks for the next pair when it is time.
func RefreshTask(g *millrace.Grant) millrace.Task {
	return millrace.Task{
		Kind: millrace.TaskRefresh, Key: millrace.TaskKey(g.EnvironmentID, g.ID), At: g.RefreshAt.Std(), Wake: true, Environment: g.EnvironmentID, Account: g.ID,
	}
}

// TrackTokens begins a new generation when the context of an account has another pair of tokens than before, in the transaction that
// stores the account: a request for the next pair that is under way must not replace it.
func TrackTokens(ctx context.Context, tx *store.Tx, v *millrace.IntegratedAccount) error {
	if !HasTokens(v.AuthenticationMethod) {
		return nil
	}
	full, err := v.FullContext()
	if err != nil {
		return err
	}
	g, err := tx.Accounts().Grants().Lock(ctx, v.EnvironmentID, v.ID)
	if err != nil {
		return err
	}
	now := tx.Now()
	pair := millrace.PairOf(full)
	if pair == g.Pair && g.Generation > 0 && g.RefusedAt == 0 {
		return nil
	}
	Begin(g, now, pair)
	token, access, refresh := millrace.OAuthToken(full)
	g.ExpiresAt = expiryOf(token, now)
	if access == "" {
		g.ExpiresAt = now // the first request asks for a token
	}
	PlanRefresh(g, now.Std(), refresh != "", nil)
	if err := tx.Accounts().Grants().Save(ctx, g); err != nil || g.RefreshAt == 0 {
		return err
	}
	return tx.Enqueue(ctx, RefreshTask(g))
}

// Begin begins a generation with a pair of tokens that has come.
func Begin(g *millrace.Grant, now millrace.Time, pair string) {
	*g = millrace.Grant{
		ID: g.ID, EnvironmentID: g.EnvironmentID, Generation: g.Generation + 1, Epoch: g.Epoch + 1, Pair: pair, GrantedAt: now, CreatedAt: g.CreatedAt,
	}
}

// Lose stores that an account must be connected again.
func Lose(ctx context.Context, tx *store.Tx, v *millrace.IntegratedAccount, cause string) error {
	v.Status, v.LastError = millrace.AccountNeedsReauth, cause //commit:allow the row was read in the same transaction
	if err := tx.Accounts().Update(ctx, v); err != nil {
		return err
	}
	e, err := NewEvent(ctx, tx, millrace.EventAccountAuthError, v)
	if err != nil {
		return err
	}
	return event.Emit(ctx, tx, e)
}

// expiryOf returns when the access token of a token response ends, 0 when that is not known. A response that comes from a client says
// either when, or how long from now.
func expiryOf(token map[string]any, now millrace.Time) millrace.Time {
	if text, ok := token["expires_at"].(string); ok {
		if at, err := time.Parse(time.RFC3339, text); err == nil {
			return millrace.TimeOf(at)
		}
	}
	seconds, err := strconv.ParseFloat(fmt.Sprint(token["expires_in"]), 64)
	if err != nil || seconds <= 0 || seconds > 1e9 {
		return 0
	}
	return now.Add(time.Duration(seconds * float64(time.Second)))
}
