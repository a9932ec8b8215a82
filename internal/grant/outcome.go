package grant

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/oauth"
	"github.com/millrace/millrace/internal/observe"
	"github.com/millrace/millrace/internal/provider"
	"github.com/millrace/millrace/internal/store"
)

// settle changes a grant, together with its account, unless a newer pair was stored meanwhile. It reports whether it did.
func (k *Keeper) settle(ctx context.Context, c *claim, change func(*store.Tx, *millrace.IntegratedAccount, *millrace.Grant) error) (bool, error) {
	return store.Compute(context.WithoutCancel(ctx), k.DB, func(tx *store.Tx) (bool, error) {
		// What an integration declares is held before its accounts: a change of it seals these.
		if _, _, err := tx.Installs().Lock(ctx, c.install.EnvironmentID, c.install.ID); err != nil {
			return false, err
		}
		v, err := tx.Accounts().Lock(ctx, c.grant.EnvironmentID, c.grant.ID)
		if err != nil {
			return false, err
		}
		full, err := v.FullContext()
		if err != nil {
			return false, err
		}
		g, err := tx.Accounts().Grants().Lock(ctx, v.EnvironmentID, v.ID)
		if err != nil || g.Generation != c.grant.Generation || g.Pair != millrace.PairOf(full) {
			return false, err
		}
		return true, change(tx, v, g)
	})
}

// tell reports what a request came to.
func (k *Keeper) tell(ctx context.Context, c *claim, outcome oauth.Outcome) {
	k.Observe.Tell(ctx, observe.Fact{Kind: observe.Renewal, Name: c.integration.Name, Outcome: string(outcome)})
}

// take stores the pair that was granted.
func (k *Keeper) take(ctx context.Context, c *claim, s *subject, r *oauth.Result) error {
	token := maps.Clone(r.Token)
	if r.RefreshToken == "" && s.kind == oauth.KindRefresh {
		token["refresh_token"] = s.refresh // the provider keeps it
	}
	stored, err := k.settle(ctx, c, func(tx *store.Tx, v *millrace.IntegratedAccount, g *millrace.Grant) error {
		set, err := account.SecretsOf(ctx, tx, v)
		if err != nil {
			return err
		}
		if err := v.SetToken(token, r.Extra, set.Paths(), r.SecretPaths); err != nil {
			return err
		}
		full, err := v.FullContext()
		if err != nil {
			return err
		}
		previous := g.Previous
		if g.Used || previous == "" {
			previous = s.refresh
		}
		account.Begin(g, tx.Now(), millrace.PairOf(full))
		if r.RefreshToken != "" && r.RefreshToken != s.refresh {
			g.Previous = previous
		}
		if !r.ExpiresAt.IsZero() {
			g.ExpiresAt = millrace.TimeOf(r.ExpiresAt)
		}
		account.PlanRefresh(g, tx.Now().Std(), s.kind == oauth.KindRefresh, s.credential.OAuth)
		if err := tx.Accounts().Grants().Save(ctx, g); err != nil {
			return err
		}
		if err := k.restore(ctx, tx, v); err != nil {
			return err
		}
		if g.RefreshAt > 0 {
			err = tx.Enqueue(ctx, account.RefreshTask(g))
		}
		k.at("taking")
		return err
	})
	switch {
	case err != nil:
		return err
	case !stored:
		k.Logger.InfoContext(ctx, "a pair of tokens came after another one and is not used", c.about())
		return nil
	}
	k.at("taken")
	k.Logger.InfoContext(ctx, "the tokens of an account were renewed", c.about())
	k.tell(ctx, c, oauth.Granted)
	return nil
}

// restore stores an account that has a new pair. One whose credentials did not work before works again.
func (k *Keeper) restore(ctx context.Context, tx *store.Tx, v *millrace.IntegratedAccount) error {
	again := v.Status == millrace.AccountNeedsReauth
	if again {
		v.Status, v.LastError = millrace.AccountActive, "" //commit:allow the row was read in the same transaction
	}
	if err := account.Update(ctx, tx, v); err != nil || !again {
		return err
	}
	e, err := account.NewEvent(ctx, tx, millrace.EventAccountReactivated, v)
	if err != nil {
		return err
	}
	return event.Emit(ctx, tx, e)
}

// reject stores that the provider grants no other pair. An access token that is good still is used until it ends when a response was
// lost that may have held the next pair: then there is something to gain.
func (k *Keeper) reject(ctx context.Context, c *claim, r *oauth.Result) error {
	cause := causeOf(c, r)
	stored, err := k.settle(ctx, c, func(tx *store.Tx, v *millrace.IntegratedAccount, g *millrace.Grant) error {
		if g.Epoch != c.grant.Epoch {
			return errOvertaken
		}
		now := tx.Now()
		g.Response, g.LeaseUntil, g.AttemptAt, g.Attempts, g.RetryAt, g.RefreshAt = nil, 0, 0, 0, 0, 0
		g.RefusedAt, g.Cause = now, cause
		if err := tx.Accounts().Grants().Save(ctx, g); err != nil {
			return err
		}
		if c.before != 0 && g.ExpiresAt.Std().Sub(now.Std()) > rejectSoon || v.Status != millrace.AccountActive {
			return nil
		}
		return account.Lose(ctx, tx, v, cause)
	})
	if err != nil || !stored {
		return overtaken(err) // not stored: there is a newer pair
	}
	k.tell(ctx, c, oauth.Refused)
	k.Logger.WarnContext(ctx, "the provider rejects the renewal of an account's tokens", c.about(), slog.String("cause", cause))
	return &provider.RefusedError{Cause: cause}
}

// errOvertaken ends a transaction of who no longer has the lease: what another has stored since must not be taken away.
var errOvertaken = errors.New("another has the lease")

// overtaken says to callers that they have to ask again.
func overtaken(err error) error {
	if errors.Is(err, errOvertaken) {
		return &provider.UnsureError{Cause: "the request for a token took too long", After: minRetry}
	}
	return err
}

// causeOf says in words why there is no other pair.
func causeOf(c *claim, r *oauth.Result) string {
	if c.before == 0 {
		return r.Message
	}
	return fmt.Sprintf("%s; the response to the request at %s was lost, and may have held the next refresh token", r.Message, c.before.Std().UTC().Format("15:04:05 on 2006-01-02 UTC"))
}

// giveBack ends a lease without an outcome. reached says that the provider may have got the request: then it may have granted a pair
// that we do not have.
func (k *Keeper) giveBack(ctx context.Context, c *claim, s *subject, reached bool, cause string, after time.Duration) error {
	wait := min(max(minRetry<<min(c.grant.Attempts-1, 10), after), maxRetry)
	if s != nil && reached && s.credential.OAuth.Grace > 0 {
		wait = min(wait, max(s.credential.OAuth.Grace/4, minRetry)) // while the provider takes the refresh token again
	}
	if after > maxRetry {
		wait = min(after, maxAfter)
	}
	stored, err := k.settle(ctx, c, func(tx *store.Tx, _ *millrace.IntegratedAccount, g *millrace.Grant) error {
		if g.Epoch != c.grant.Epoch {
			return errOvertaken
		}
		now := tx.Now()
		g.Response, g.LeaseUntil, g.RetryAt, g.Cause = nil, 0, now.Add(wait), cause
		if !reached {
			g.AttemptAt = c.before
		}
		if g.RefreshAt > 0 && g.RefreshAt < g.RetryAt {
			g.RefreshAt = g.RetryAt
		}
		return tx.Accounts().Grants().Save(ctx, g)
	})
	if err != nil || !stored {
		return overtaken(err)
	}
	k.tell(ctx, c, oauth.Unknown)
	k.Logger.WarnContext(ctx, "the tokens of an account were not renewed", c.about(), slog.String("cause", cause), slog.Duration("again_in", wait))
	return &provider.UnsureError{Cause: cause, After: wait}
}
