package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace"
)

const (
	// patience is how long callers of Guard wait for a database from which nothing at all is heard.
	patience = 4 * time.Second
	// pulseEvery is how often it is looked whether anything was heard. Looks are counted rather than time, so that a process
	// that was paused does not take its own silence for the database's.
	pulseEvery = 200 * time.Millisecond
	// maxProbe is how long a probe may take before another connection is tried.
	maxProbe = 3 * time.Second
)

// ErrSilent is in the error of callers of Guard while the database does not respond.
var ErrSilent = errors.New("nothing was heard of the database")

// pulse knows whether a database responds. A slow statement is no sign of silence as long as others are answered.
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

// watch probes a database while there are callers of guard, and ends when ctx does.
func (p *pulse) watch(ctx context.Context, probe func(context.Context) error) {
	ticker := time.NewTicker(pulseEvery)
	defer ticker.Stop()
	answered := make(chan error, 1)
	probing, missed, last := false, 0, p.heard.Load()
	for {
		select {
		case <-ctx.Done():
			if probing {
				if err := <-answered; err != nil {
					return // of the probe that was cut off
				}
			}
			return
		case err := <-answered:
			probing = false
			if !errors.Is(err, context.DeadlineExceeded) {
				p.hear() // also a connection that is rejected is a response
			}
			continue
		case <-ticker.C:
		}
		if now := p.heard.Load(); now != last || (p.guarded.Load() == 0 && !p.isSilent()) {
			last, missed = now, 0
		} else if missed++; missed >= int(patience/pulseEvery) {
			p.silence("the database does not respond")
		}
		if !probing && (p.guarded.Load() > 0 || p.isSilent()) {
			probing = true
			go func() {
				ctx, cancel := context.WithTimeout(ctx, maxProbe)
				defer cancel()
				answered <- probe(ctx)
			}()
		}
	}
}

// Guard returns a context for a caller that cannot wait for a database which does not respond: it ends, with an error of
// KindUnavailable, when for more than a second nothing is heard of the database, and at once until it is heard again. On
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
		_, err := tx.exec(ctx, "UPDATE schema_migration SET applied_at = applied_at")
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
