package grant

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/egress"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/oauth"
	"github.com/millrace/millrace/internal/provider"
	"github.com/millrace/millrace/internal/store"
)

// claim is what a transaction has seen of a grant, and whether it got the lease.
type claim struct {
	moved bool  // there is a newer pair
	held  bool  // another has the lease
	err   error // there will be no other pair, or not now

	account     *millrace.IntegratedAccount
	install     *millrace.EnvironmentIntegration
	integration *millrace.Integration
	grant       *millrace.Grant // with the lease
	before      millrace.Time   // the first attempt before this one whose outcome is not known; 0: there was none
	full        map[string]any
	gate        *egress.Gate // through which requests go; nil: straight
}

// claim takes the lease on a grant, and writes down that a request is about to be made.
func (k *Keeper) claim(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID, generation int64) (*claim, error) {
	return store.Compute(ctx, k.DB, func(tx *store.Tx) (*claim, error) {
		c := &claim{}
		var err error
		if c.account, err = tx.Accounts().Lock(ctx, env, id); err != nil {
			return nil, err
		}
		if c.install, err = tx.Installs().Get(ctx, env, c.account.EnvironmentIntegrationID); err != nil {
			return nil, err
		}
		if c.integration, err = tx.Integrations().Get(ctx, env, c.install.IntegrationID); err != nil {
			return nil, err
		}
		if c.full, err = c.account.FullContext(); err != nil {
			return nil, err
		}
		if c.gate, err = account.GateOf(ctx, tx, env, c.account.StaticGateID); err != nil {
			return nil, err
		}
		if c.grant, err = tx.Accounts().Grants().Lock(ctx, env, id); err != nil {
			return nil, err
		}
		g, now := c.grant, tx.Now()
		if pair := millrace.PairOf(c.full); g.Pair != pair {
			known := g.Pair != ""
			account.Begin(g, now, pair)
			if !known {
				g.Generation-- // nothing was known of the pair that there is
			}
		}
		if g.Generation != generation {
			c.moved = true
			return c, tx.Accounts().Grants().Save(ctx, g)
		}
		if never, err := c.never(); err != nil || never {
			c.err = errNoRefresh()
			return c, err
		}
		// A time that lies further ahead than it can have been set to was written before the clock went back.
		if last := now.Add(leaseTime); g.LeaseUntil > last {
			g.LeaseUntil = last
		}
		if last := now.Add(maxAfter); g.RetryAt > last {
			g.RetryAt = now
		}
		switch {
		case g.RefusedAt != 0:
			c.err = &provider.RefusedError{Cause: g.Cause}
			return c, nil
		case g.LeaseUntil > now:
			c.held = true
			return c, tx.Accounts().Grants().Save(ctx, g)
		case len(g.Response) == 0 && g.RetryAt > now:
			c.err = &provider.UnsureError{Cause: g.Cause, After: g.RetryAt.Std().Sub(now.Std())}
			return c, nil
		}
		g.Epoch++
		g.LeaseUntil = now.Add(leaseTime)
		c.before = g.AttemptAt
		if len(g.Response) == 0 {
			g.Attempts++
			if g.AttemptAt == 0 {
				g.AttemptAt = now
			}
		}
		return c, tx.Accounts().Grants().Save(ctx, g)
	})
}

// never reports whether there is nothing to ask for the next pair with.
func (c *claim) never() (bool, error) {
	if _, _, refresh := millrace.OAuthToken(c.full); refresh != "" || c.account.AuthenticationMethod != config.FormatOAuth2 {
		return false, nil
	}
	acts, err := config.HasAction([]string{config.ActionRefresh}, c.integration.Config, c.install.Override, c.account.Override())
	return !acts, err
}

// subject is what a request for a pair of tokens is made of.
type subject struct {
	config     *config.Config
	credential config.Credential
	kind       oauth.Kind
	full       map[string]any
	refresh    string
	response   oauth.Response
	now        time.Time
}

func (k *Keeper) subject(c *claim) (*subject, error) {
	compiled, err := k.Configs(c.account, c.install, c.integration)
	if err != nil {
		return nil, err
	}
	s := &subject{config: compiled, full: c.full, now: k.Clock()}
	var ok bool
	if s.credential, ok = compiled.Credentials[c.account.AuthenticationMethod]; !ok {
		return nil, millrace.Errorf(millrace.KindInvalid, "the integration has no credentials of the kind %s any more", c.account.AuthenticationMethod)
	}
	_, _, s.refresh = millrace.OAuthToken(c.full)
	if s.kind, ok = oauth.FirstKind(&s.credential); !ok {
		return nil, millrace.Errorf(millrace.KindInvalid, "accounts of the kind %s have no tokens that are asked for", c.account.AuthenticationMethod)
	}
	if s.refresh != "" {
		s.kind = oauth.KindRefresh
	}
	if len(c.grant.Response) > 0 {
		if err := json.Unmarshal(c.grant.Response, &s.response); err != nil {
			return nil, fmt.Errorf("read the stored response: %w", err)
		}
	}
	return s, nil
}

// errNoRefresh says that an account can only be connected again.
func errNoRefresh() error {
	return &provider.RefusedError{Cause: "the provider has granted no refresh token: when the access token ends, the account must be connected again"}
}

func (s *subject) request() (*oauth.Request, error) {
	variables, err := s.config.VariablesOf(s.full)
	if err != nil {
		return nil, err
	}
	return oauth.NewRequest(&s.credential, oauth.Grant{
		Kind: s.kind, Context: s.full, Variables: variables, RefreshToken: s.refresh, Now: s.now,
	})
}

// keep stores a response before it is read: it may hold the only pair there is, and reading it must not be what loses it.
func (k *Keeper) keep(ctx context.Context, c *claim, r oauth.Response) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTime)
	defer cancel()
	for {
		err = k.DB.Update(ctx, func(tx *store.Tx) error {
			g, err := tx.Accounts().Grants().Lock(ctx, c.grant.EnvironmentID, c.grant.ID)
			if err != nil || g.Generation != c.grant.Generation || g.Epoch != c.grant.Epoch && len(g.Response) > 0 {
				return err
			}
			g.Response = raw
			return tx.Accounts().Grants().Save(ctx, g)
		})
		if err == nil || ctx.Err() != nil {
			return err
		}
		k.Logger.WarnContext(ctx, "the response of a token endpoint is not stored yet", c.about(), slog.Any("err", err))
		if pause(ctx, minRetry) != nil {
			return err
		}
	}
}

// about names the account in the log.
func (c *claim) about() slog.Attr {
	return slog.Group("account", slog.String("environment_id", string(c.grant.EnvironmentID)), slog.String("integrated_account_id", string(c.grant.ID)))
}
