package provider

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/cache"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/store"
)

const (
	// defaultMaxWait is how long a provider may keep an account waiting before a request finds out whether that still holds.
	defaultMaxWait = time.Hour
	// maxGuess bounds the wait after a limit for which the provider named no time.
	maxGuess = 5 * time.Minute
	// worthSharing is the shortest block that is shared with other nodes: a shorter one is over before they read it.
	worthSharing = 2 * time.Second
	// maxSpread bounds how long after a block the last of those that waited comes back.
	maxSpread = 5 * time.Second
	// minGap is the shortest pause between paced requests. Limits that start anew so soon need no pacing.
	minGap = time.Second
	// fewLeft is how many requests are few where the provider does not say how many there are in all.
	fewLeft = 5
)

// RateBudget is what is known of the rate limits of integrated accounts, so that what one request learns keeps all
// others from running into the same limit. It is kept in memory; only a block that others should know of is written
// down, and other nodes notice it within a second. A request costs no statement besides that look.
type RateBudget struct {
	db      *store.DB
	clock   func() time.Time
	logger  *slog.Logger
	jitter  func() float64
	maxWait time.Duration
	rows    *cache.Cache[accountKey, millrace.AccountRate]
	mu      sync.Mutex
	known   map[accountKey]*accountBudget
}

// accountBudget is what is known of one account.
type accountBudget struct {
	since, until time.Time // no request in between
	limit        int64     // of the window that ends at reset; 0: not said
	remaining    int64
	reset        time.Time // zero: nothing is known of limit and remaining
	next         time.Time // when the next paced request may be made
}

// caller is who wants to make a request.
type caller struct {
	env   millrace.EnvironmentID
	id    millrace.IntegratedAccountID
	waits int64 // how often it has waited for this request
	turn  bool  // it has waited for its turn
}

// key names the account among those of all environments.
func (c caller) key() accountKey { return accountKey{c.env, c.id} }

// NewRateBudget returns a budget that knows nothing yet; no block is longer than maxWait, an hour when it is 0.
func NewRateBudget(db *store.DB, clock func() time.Time, logger *slog.Logger, maxWait time.Duration) *RateBudget {
	if maxWait <= 0 {
		maxWait = defaultMaxWait
	}
	return &RateBudget{
		db: db, clock: clock, logger: logger, jitter: rand.Float64, maxWait: maxWait,
		rows:  cache.New[accountKey, millrace.AccountRate](maxRemembered, unnoticed, clock),
		known: map[accountKey]*accountBudget{},
	}
}

func (b *RateBudget) now() time.Time { return b.clock() }

// ask returns how long a request must wait: because the account is blocked, or for its turn among the few requests that
// are left.
func (b *RateBudget) ask(ctx context.Context, c caller) (blocked, paced time.Duration, err error) { //nolint:nonamedreturns // two durations
	row, err := b.rows.Load(c.key(), func() (millrace.AccountRate, error) { return b.load(ctx, c) })
	if err != nil {
		return 0, 0, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	a, now := b.of(c.key()), b.clock()
	// Another node's clock is not trusted further than a wait may last.
	a.block(row.BlockedSince.Std(), earlier(row.BlockedUntil.Std(), now.Add(b.maxWait)))
	if a.until.After(now) {
		return a.back(now, c.waits, b.jitter()), 0, nil
	}
	if c.turn {
		return 0, 0, nil
	}
	return 0, a.turn(now, b.jitter()), nil
}

func (b *RateBudget) load(ctx context.Context, c caller) (millrace.AccountRate, error) {
	var row millrace.AccountRate
	err := b.db.View(ctx, func(tx *store.Tx) error {
		var err error
		row, err = tx.Accounts().Rate(ctx, c.env, c.id)
		return err
	})
	return row, err
}

// learn takes in what a response says. After one that says "slow down" it returns when its caller may try again.
func (b *RateBudget) learn(ctx context.Context, c caller, o *fetch.Outcome) time.Duration {
	wait := time.Duration(0)
	switch limit := o.RateLimit; {
	case o.Kind == fetch.KindRateLimited:
		if wait = o.RetryAfter; wait <= 0 {
			wait = b.guess(c.waits)
		}
	case limit.Known && limit.Remaining == 0:
		wait = limit.Reset
	}
	wait = min(wait, b.maxWait)
	now := b.clock()
	news, back := b.note(c, o, now, wait)
	if news && wait >= worthSharing {
		b.share(ctx, millrace.AccountRate{
			IntegratedAccountID: c.id, EnvironmentID: c.env, BlockedSince: millrace.TimeOf(now), BlockedUntil: millrace.TimeOf(now.Add(wait)),
		})
	}
	return back
}

// note remembers a response. It reports whether the account is blocked for longer than was known.
func (b *RateBudget) note(c caller, o *fetch.Outcome, now time.Time, wait time.Duration) (bool, time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.of(c.key())
	if o.RateLimit.Known && o.RateLimit.Reset > 0 {
		a.limit, a.remaining, a.reset = o.RateLimit.Limit, o.RateLimit.Remaining, now.Add(o.RateLimit.Reset)
	}
	if wait <= 0 {
		return false, 0
	}
	// Responses that arrive together differ by a moment at most, which is no news.
	news := now.Add(wait).Sub(a.until) > time.Second
	a.block(now, now.Add(wait))
	return news, a.back(now, c.waits, b.jitter())
}

// guess doubles the wait each time a request is limited again and the response gives no time.
func (b *RateBudget) guess(waits int64) time.Duration {
	wait := min(time.Second<<min(waits, 10), maxGuess)
	return wait + time.Duration(float64(wait)*0.2*b.jitter())
}

// share tells the other nodes. When that fails, each of them finds out for itself.
func (b *RateBudget) share(ctx context.Context, rate millrace.AccountRate) {
	err := b.db.Update(ctx, func(tx *store.Tx) error { return tx.Accounts().Block(ctx, rate) })
	if err != nil && ctx.Err() == nil {
		b.logger.WarnContext(ctx, "share rate limit", slog.String("integrated_account_id", string(rate.IntegratedAccountID)),
			slog.String("err", err.Error()))
	}
}

// of returns what is known of an account. The caller holds mu.
func (b *RateBudget) of(id accountKey) *accountBudget {
	a := b.known[id]
	if a == nil {
		if len(b.known) >= maxRemembered {
			b.forget()
		}
		a = &accountBudget{}
		b.known[id] = a
	}
	return a
}

// forget drops what is over; all of it when that is not enough, since the blocks that count are written down.
func (b *RateBudget) forget() {
	now := b.clock()
	for id, a := range b.known {
		if !a.until.After(now) && !a.reset.After(now) {
			delete(b.known, id)
		}
	}
	if len(b.known) >= maxRemembered {
		clear(b.known)
	}
}

func (a *accountBudget) block(since, until time.Time) {
	if until.After(a.until) {
		a.since, a.until = since, until
	}
}

// back returns when one that waits comes back: a little after the block, so that not all come at once, and the sooner
// the more often it had to wait, so that none waits forever behind others.
func (a *accountBudget) back(now time.Time, waits int64, jitter float64) time.Duration {
	window := float64(min(max(a.until.Sub(a.since), 0)/20, maxSpread))
	last, first := window/float64(waits+1), window/float64(waits+2)
	return a.until.Sub(now) + time.Duration(first+(last-first)*jitter)
}

// turn returns how long to wait so that the few requests that are left last until there are more. Each caller gets a
// turn of its own; those for whom none is left come when the limit starts anew.
func (a *accountBudget) turn(now time.Time, jitter float64) time.Duration {
	left := a.reset.Sub(now)
	few := int64(fewLeft)
	if a.limit > 0 {
		few = a.limit / 10
	}
	if left <= 0 || a.remaining > few {
		a.next = time.Time{}
		return 0
	}
	gap := left / time.Duration(a.remaining+1)
	if gap < minGap {
		return 0
	}
	at := now
	if a.next.After(now) {
		at = a.next
	}
	if at.Add(gap).After(a.reset) {
		return left + time.Duration(float64(min(left/20, maxSpread))*jitter)
	}
	a.next = at.Add(gap)
	return at.Sub(now)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
