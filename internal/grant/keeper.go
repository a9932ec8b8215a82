package grant

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/oauth"
	"github.com/millrace/millrace/internal/store"
)

// The times of a renewal.
const (
	leaseTime  = 45 * time.Second // longer than a request may take, so that a lease that ends means a process that died
	lookAgain  = 50 * time.Millisecond
	maxLook    = time.Second
	saveTime   = 30 * time.Second // how long a response is tried to be stored: it may hold the only pair there is
	renewTime  = 2 * time.Minute
	minRetry   = time.Second
	maxRetry   = 5 * time.Minute
	refuseSoon = time.Minute // what is left of an access token that is not worth waiting for
)

// Config is what a [Keeper] needs. All of it is required.
type Config struct {
	DB      *store.DB
	Client  *oauth.Client
	Configs func(*millrace.IntegratedAccount, *millrace.EnvironmentIntegration, *millrace.Integration) (*config.Config, error)
	Clock   func() time.Time
	Logger  *slog.Logger
}

// Keeper renews the tokens of accounts. It may be used by any number of goroutines.
type Keeper struct {
	Config
	flights singleflight.Group
}

// New returns a keeper.
func New(cfg Config) *Keeper { return &Keeper{Config: cfg} }

// Renew is an [account.Renew]. Callers that come while a request is under way share it.
func (k *Keeper) Renew(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID, generation int64) error {
	// The generation is a part of the key: a caller that knows the newest pair must not get the result of a flight for the one before.
	key := fmt.Sprintf("%s/%d", millrace.TaskKey(env, id), generation)
	done := k.flights.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewTime)
		defer cancel()
		return nil, k.renew(ctx, env, id, generation)
	})
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case r := <-done:
		return r.Err
	}
}

// Refresh is the handler of the task that asks for the next pair although nobody needs one.
func (k *Keeper) Refresh(ctx context.Context, task millrace.Task) error {
	env, id := millrace.ParseTaskKey[millrace.IntegratedAccountID](task.Key)
	wait, generation, err := k.due(ctx, env, id)
	if err != nil || wait != 0 {
		return cmp.Or(err, millrace.RetryAfter(wait, nil))
	}
	if generation < 0 {
		return nil
	}
	var refused *account.RefusedError
	var unsure *account.UnsureError
	switch err := k.Renew(ctx, env, id, generation); {
	case errors.As(err, &refused): // it is stored
	case errors.As(err, &unsure):
		return millrace.RetryAfter(max(unsure.After, minRetry), nil)
	case err != nil:
		return err
	}
	if wait, generation, err = k.due(ctx, env, id); err != nil || generation < 0 {
		return err
	}
	return millrace.RetryAfter(max(wait, minRetry), nil)
}

// due returns how long it is until a grant is to be refreshed, or its generation. A generation of -1 ends the task, in the
// transaction that has seen that there is nothing to do.
func (k *Keeper) due(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID) (time.Duration, int64, error) {
	type answer struct {
		wait       time.Duration
		generation int64
	}
	a, err := store.Compute(ctx, k.DB, func(tx *store.Tx) (answer, error) {
		g, err := tx.Accounts().Grants().Get(ctx, env, id)
		if err != nil {
			return answer{}, err
		}
		if g == nil || g.RefreshAt == 0 || g.RefusedAt != 0 {
			return answer{0, -1}, tx.Finish(ctx)
		}
		return answer{max(0, g.RefreshAt.Std().Sub(tx.Now().Std())), g.Generation}, nil
	})
	return a.wait, a.generation, err
}

// renew goes on until there is another pair, or a reason why there is none.
func (k *Keeper) renew(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID, generation int64) error {
	look := lookAgain
	for {
		c, err := k.claim(ctx, env, id, generation)
		if err != nil {
			return err
		}
		switch {
		case c.moved:
			return nil
		case c.err != nil:
			return c.err
		case !c.held:
			return k.work(ctx, c)
		}
		if err := pause(ctx, time.Duration(float64(look)*(0.5+rand.Float64()))); err != nil { //nolint:gosec // it spreads the callers
			return err
		}
		look = min(2*look, maxLook)
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// work makes the request of a claim, or reads the response that another has left, and stores what it came to.
func (k *Keeper) work(ctx context.Context, c *claim) error {
	s, err := k.subject(c)
	if err != nil {
		return k.giveBack(ctx, c, nil, false, fmt.Sprintf("the request for a token cannot be made: %v", err), 0)
	}
	if len(c.grant.Response) == 0 {
		if err := k.ask(ctx, c, s); err != nil {
			return err
		}
	}
	result := oauth.Read(&s.credential, s.response, k.Clock())
	if previous := c.grant.Previous; result.Outcome == oauth.Refused && result.Code == "invalid_grant" && previous != "" && !c.grant.Used && previous != s.refresh {
		// The pair that we have was never accepted: the one before may still be what the provider knows.
		s.refresh = previous
		if err := k.ask(ctx, c, s); err != nil {
			return err
		}
		result = oauth.Read(&s.credential, s.response, k.Clock())
	}
	switch result.Outcome {
	case oauth.Granted:
		return k.take(ctx, c, s, &result)
	case oauth.Refused:
		return k.refuse(ctx, c, &result)
	case oauth.Unknown:
	}
	return k.giveBack(ctx, c, s, true, result.Message, result.RetryAfter)
}

// ask makes the request and stores the response before anything reads it.
func (k *Keeper) ask(ctx context.Context, c *claim, s *subject) error {
	request, err := s.request()
	if err != nil {
		return k.giveBack(ctx, c, s, false, fmt.Sprintf("the request for a token cannot be made: %v", err), 0)
	}
	if s.response, err = k.Client.Send(ctx, request); err != nil {
		return k.giveBack(ctx, c, s, !oauth.Unsent(err), err.Error(), 0)
	}
	return k.keep(ctx, c, s.response)
}
