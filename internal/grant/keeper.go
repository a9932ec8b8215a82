package grant

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/egress"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/oauth"
	"github.com/millrace/millrace/internal/observe"
	"github.com/millrace/millrace/internal/provider"
	"github.com/millrace/millrace/internal/store"
)

// The times of a renewal.
const (
	leaseTime  = 45 * time.Second // longer than a request may take, so that a lease that ends means a process that died
	lookAgain  = 50 * time.Millisecond
	maxLook    = time.Second
	saveTime   = 10 * time.Minute // how long a response is tried to be stored: it may hold the only pair there is
	renewTime  = 2 * time.Minute
	actTime    = 40 * time.Second // of an action, less than a lease
	minRetry   = time.Second
	maxRetry   = 5 * time.Minute
	maxAfter   = time.Hour   // that a provider may ask for
	rejectSoon = time.Minute // what is left of an access token that is not worth waiting for
)

// Config is what a [Keeper] needs. All of it but Act and Observe is required.
type Config struct {
	DB      *store.DB
	Client  *oauth.Client
	Configs func(*millrace.IntegratedAccount, *millrace.EnvironmentIntegration, *millrace.Integration) (*config.Config, error)
	Clock   func() time.Time
	Logger  *slog.Logger
	Act     Act              // nil: the action refresh_token of an integration is not run
	Observe observe.Observer // receives what each request came to
}

// Act runs the action refresh_token of an account's integration, instead of the standard request. See [provider.Fetcher.RefreshByAction].
type Act func(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID) (provider.ActionToken, error)

// Keeper renews the tokens of accounts. It may be used by any number of goroutines.
type Keeper struct {
	Config
	flights singleflight.Group
	step    func(string) // of tests: called with the name of each line on which a process may die

	mu      sync.Mutex
	stopped bool
	running sync.WaitGroup
}

// ErrStopped says that a node no longer begins renewals.
var ErrStopped = errors.New("the node stops")

// New returns a keeper.
func New(cfg Config) *Keeper { return &Keeper{Config: cfg} }

// Stop begins no other renewal, and waits for those under way until ctx ends: a response that comes while a process stops is stored.
func (k *Keeper) Stop(ctx context.Context) {
	k.mu.Lock()
	k.stopped = true
	k.mu.Unlock()
	done := make(chan struct{})
	go func() {
		k.running.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		k.Logger.WarnContext(ctx, "the node stops while it waits for a token endpoint")
	}
}

// enter reports whether a renewal may begin; it must be followed by running.Done.
func (k *Keeper) enter() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.stopped {
		k.running.Add(1)
	}
	return !k.stopped
}

// at tells a test how far a renewal has come.
func (k *Keeper) at(line string) {
	if k.step != nil {
		k.step(line)
	}
}

// Renew is an [provider.Renew]. Callers that come while a request is under way share it.
func (k *Keeper) Renew(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID, generation int64) error {
	// The generation is a part of the key: a caller that knows the newest pair must not get the result of a flight for the one before.
	key := fmt.Sprintf("%s/%d", millrace.TaskKey(env, id), generation)
	done := k.flights.DoChan(key, func() (any, error) {
		if !k.enter() {
			return nil, ErrStopped
		}
		defer k.running.Done()
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

// Refresh is the handler of the task that asks for the next pair ahead of need.
func (k *Keeper) Refresh(ctx context.Context, task millrace.Task) error {
	env, id := millrace.ParseTaskKey[millrace.IntegratedAccountID](task.Key)
	wait, generation, err := k.due(ctx, env, id)
	if err != nil || wait != 0 {
		return cmp.Or(err, millrace.RetryAfter(wait, nil))
	}
	if generation < 0 {
		return nil
	}
	var refused *provider.RefusedError
	var unsure *provider.UnsureError
	switch err := k.Renew(ctx, env, id, generation); {
	case errors.As(err, &refused): // it is stored
	case millrace.KindOf(err) == millrace.KindNotFound && err != nil: // the account was deleted: its grant is gone too
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
	type renewal struct {
		wait       time.Duration
		generation int64
	}
	a, err := store.Compute(ctx, k.DB, func(tx *store.Tx) (renewal, error) {
		g, err := tx.Accounts().Grants().Get(ctx, env, id)
		if err != nil {
			return renewal{}, err
		}
		if g == nil || g.RefreshAt == 0 || g.RefusedAt != 0 {
			return renewal{0, -1}, tx.Finish(ctx)
		}
		return renewal{max(0, g.RefreshAt.Std().Sub(tx.Now().Std())), g.Generation}, nil
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
			k.at("claimed")
			if err := k.work(ctx, c); !errors.Is(err, errOvertaken) {
				return err
			}
			continue // nothing was asked: another has the lease, or has a pair already
		}
		if err := pause(ctx, time.Duration(float64(look)*(0.5+rand.Float64()))); err != nil { //nolint:gosec // jitter
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
	if previous := c.grant.Previous; result.Outcome == oauth.Refused && result.Code == "invalid_grant" && previous != "" && !c.grant.Used && previous != s.refresh && !k.acts(s) {
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
		if result.Code == "invalid_client" && s.kind == oauth.KindRefresh {
			// The app is wrong, for all of its accounts, and the refresh token was not looked at: fixing the app fixes them.
			return k.giveBack(ctx, c, s, false, result.Message, result.RetryAfter)
		}
		return k.reject(ctx, c, &result)
	case oauth.Unknown:
	}
	return k.giveBack(ctx, c, s, true, result.Message, result.RetryAfter)
}

// ask makes the request and stores the response before anything reads it. It returns errOvertaken, and asks nothing, when the process has
// stood still for so long that another has the lease: a refresh token that is used twice may cost the account.
func (k *Keeper) ask(ctx context.Context, c *claim, s *subject) error {
	if err := k.holds(ctx, c); err != nil {
		return err
	}
	if k.acts(s) {
		return k.act(ctx, c, s)
	}
	request, err := s.request()
	if err != nil {
		return k.giveBack(ctx, c, s, false, fmt.Sprintf("the request for a token cannot be made: %v", err), 0)
	}
	if s.response, err = k.Client.Send(egress.Through(ctx, c.gate), request); err != nil {
		return k.giveBack(ctx, c, s, !oauth.Unsent(err), err.Error(), 0)
	}
	k.at("sent")
	err = k.keep(ctx, c, s.response)
	k.at("kept")
	return err
}

// holds returns errOvertaken when nobody but another may ask for the next pair.
func (k *Keeper) holds(ctx context.Context, c *claim) error {
	return k.DB.View(ctx, func(tx *store.Tx) error {
		g, err := tx.Accounts().Grants().Get(ctx, c.grant.EnvironmentID, c.grant.ID)
		if err == nil && (g == nil || g.Epoch != c.grant.Epoch) {
			err = errOvertaken
		}
		return err
	})
}

// acts reports whether an action asks for the next pair; it takes the refresh token from the context.
func (k *Keeper) acts(s *subject) bool {
	return k.Act != nil && len(s.config.Actions[config.ActionRefresh]) > 0
}

// act runs the action of the integration that gets the next pair. Its result is kept as a response of a token endpoint is.
func (k *Keeper) act(ctx context.Context, c *claim, s *subject) error {
	ctx, cancel := context.WithTimeout(ctx, actTime)
	defer cancel()
	token, err := k.Act(ctx, c.grant.EnvironmentID, c.grant.ID)
	if err != nil {
		k.Logger.WarnContext(ctx, "the action refresh_token could not be run", c.about(), slog.Any("err", err))
		return k.giveBack(ctx, c, s, token.Reached, "the action refresh_token could not be run", 0)
	}
	if token.Unknown != "" {
		return k.giveBack(ctx, c, s, token.Reached, "the action refresh_token has failed: "+token.Unknown, token.RetryAfter)
	}
	s.response = oauth.Response{Status: token.Status, Header: map[string]string{"Content-Type": "application/json"}, Body: token.Body}
	k.at("sent")
	err = k.keep(ctx, c, s.response)
	k.at("kept")
	return err
}
