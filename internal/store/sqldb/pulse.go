package sqldb

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/millrace/millrace"
)

const (
	// pulseEvery is how often to check for responses. Checks are counted rather than time, so that a process that was paused
	// does not take its own silence for the database's.
	pulseEvery = 200 * time.Millisecond
	// promptLooks is after how many failed checks callers of Guard get an error. A check that runs late does not count: the machine
	// is busy then, and the database with it.
	promptLooks = 7
	// lateLooks is after how many checks they get it, however late these run.
	lateLooks = 20
	// maxProbe is how long a probe may take before another connection is tried.
	maxProbe = 3 * time.Second
)

// looks counts failed checks.
type looks struct {
	late, prompt int
	last         time.Time
}

// reset begins to count at a check.
func (l *looks) reset(now time.Time) { *l = looks{last: now} }

// vain counts a failed check and reports whether there were enough of them.
func (l *looks) vain(now time.Time) bool {
	l.late++
	if now.Sub(l.last) < 2*pulseEvery {
		l.prompt++
	}
	l.last = now
	return l.prompt >= promptLooks || l.late >= lateLooks
}

// ErrSilent is in the error of callers of Guard while the database does not respond.
var ErrSilent = errors.New("the database does not respond")

// pulse knows whether a database responds. A slow statement is no sign of silence as long as others get results.
type pulse struct {
	heard   atomic.Int64 // responses
	guarded atomic.Int64 // callers of guard
	onHear  func()       // called when the silence has ended; nil: nothing is

	mu     sync.Mutex
	silent bool
	ctx    context.Context //nolint:containedctx // ends when the silence begins
	end    context.CancelCauseFunc
}

func newPulse(onHear func()) *pulse {
	p := &pulse{onHear: onHear}
	p.ctx, p.end = context.WithCancelCause(context.Background())
	return p
}

// hear notes that the database has responded.
func (p *pulse) hear() {
	p.heard.Add(1)
	p.mu.Lock()
	was := p.silent
	if was {
		p.silent = false
		p.ctx, p.end = context.WithCancelCause(context.Background())
	}
	p.mu.Unlock()
	if was && p.onHear != nil {
		p.onHear()
	}
}

// silence ends the callers of guard.
func (p *pulse) silence(message string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent = true
	p.end(&millrace.Error{Kind: millrace.KindUnavailable, Message: message, Err: fmt.Errorf("%w: %w", ErrOutage, ErrSilent)})
}

func (p *pulse) isSilent() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.silent
}

// guard returns a context that ends when the database falls silent, and at once while it is.
func (p *pulse) guard(ctx context.Context) (context.Context, context.CancelFunc) {
	p.guarded.Add(1)
	p.mu.Lock()
	alive := p.ctx
	p.mu.Unlock()
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(alive, func() { cancel(context.Cause(alive)) })
	if alive.Err() != nil {
		cancel(context.Cause(alive)) // AfterFunc has a goroutine of its own, which may come later
	}
	return ctx, func() {
		p.guarded.Add(-1)
		stop()
		cancel(nil)
	}
}

// watch probes a database while there are callers of guard, and ends when ctx does. With atOnce the first probe does not wait for one,
// so that there is a connection when it is needed.
func (p *pulse) watch(ctx context.Context, atOnce bool, probe func(context.Context) error) {
	ticker := time.NewTicker(pulseEvery)
	defer ticker.Stop()
	var done <-chan bool
	if atOnce {
		done = p.start(ctx, probe)
	}
	var missed looks
	last := p.heard.Load()
	for {
		select {
		case <-ctx.Done():
			if done != nil {
				<-done
			}
			return
		case <-done:
			done = nil
			continue
		case <-ticker.C:
		}
		asked, now := p.guarded.Load() > 0 || p.isSilent(), time.Now() //nolint:forbidigo // the silence is one of real time
		if heard := p.heard.Load(); heard != last || !asked {
			last = heard
			missed.reset(now)
		} else if missed.vain(now) {
			p.silence("the database does not respond")
		}
		if asked && done == nil {
			done = p.start(ctx, probe)
		}
	}
}

// start runs a probe and closes the channel when it has ended.
func (p *pulse) start(ctx context.Context, probe func(context.Context) error) <-chan bool {
	done := make(chan bool)
	go func() {
		defer close(done)
		probing, cancel := context.WithTimeout(ctx, maxProbe)
		defer cancel()
		if err := probe(probing); ctx.Err() == nil && !errors.Is(err, context.DeadlineExceeded) {
			p.hear() // also a connection that is rejected is a response
		}
	}()
	return done
}

// TraceQueryStart implements pgx.QueryTracer.
func (p *pulse) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

// TraceQueryEnd notes every response to a statement on any connection, those of the queue as well.
func (p *pulse) TraceQueryEnd(_ context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	var said *pgconn.PgError
	if data.Err == nil || errors.As(data.Err, &said) {
		p.heard.Add(1)
	}
}

// Guard returns a context for a caller that cannot wait for a database which does not respond: it ends, with an error of
// KindUnavailable, when for more than a second the database does not respond, and at once until it responds again. On
// SQLite this is about writing only: reading goes on while another process holds the lock. The caller must call the function.
func (db *DB) Guard(ctx context.Context, writes bool) (context.Context, context.CancelFunc) {
	if db == nil || db.pulse == nil || !writes && db.Postgres() == nil {
		return ctx, func() {}
	}
	return db.pulse.guard(ctx)
}

// silenced gives the error of a caller of Guard its cause: what the drivers return says only that the context has ended.
func silenced(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	if err == nil || !errors.Is(cause, ErrSilent) || errors.Is(err, ErrUnknownOutcome) {
		return err
	}
	return cause
}

// CheckSpace returns an error of KindUnavailable while the database has no space to write. It writes only to find out whether
// a want of space that an update met has ended.
func (db *DB) CheckSpace(ctx context.Context) error {
	if !db.full.Load() {
		return nil
	}
	return db.Update(ctx, func(tx *Tx) error {
		_, err := tx.Exec(ctx, "UPDATE schema_migration SET applied_at = applied_at")
		return err
	})
}

// noteSpace remembers whether an update failed for want of space.
func (db *DB) noteSpace(err error) {
	switch {
	case err == nil:
		if db.full.Load() {
			db.full.Store(false)
		}
	case db.dialect.isFull(err):
		db.full.Store(true)
	}
}
