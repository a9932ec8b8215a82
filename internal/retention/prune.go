package retention

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// PrunedAtOnce is how many rows one transaction looks at.
const PrunedAtOnce = 500

const (
	prunePause = 10 * time.Millisecond // between transactions, so that others come first
	pruneSlice = 10 * time.Second      // then the task yields
)

// Pruner removes rows that are kept for a time only. A pass looks at all environments and kinds; where a slice of it ended
// is kept in memory, because to look again at rows that are still needed is all that forgetting it costs.
type Pruner struct {
	db     *store.DB
	keep   map[millrace.Kept]time.Duration
	clock  func() time.Time
	logger *slog.Logger

	mu      sync.Mutex // a task that was given up for lost may run beside its successor
	marks   map[prunePlace]prunedTo
	removed map[millrace.Kept]int64 // in the slices of this pass
}

type prunePlace struct {
	environment millrace.EnvironmentID
	kind        millrace.Kept
}

type prunedTo struct {
	mark store.Mark
	done bool
}

// NewPruner returns a pruner; a kind of rows that is absent from keep is kept forever.
func NewPruner(db *store.DB, keep map[millrace.Kept]time.Duration, clock func() time.Time, logger *slog.Logger) *Pruner {
	return &Pruner{db: db, keep: keep, clock: clock, logger: logger, marks: map[prunePlace]prunedTo{}, removed: map[millrace.Kept]int64{}}
}

// Prune is the handler of the task. It returns a wish to go on when its time is over.
func (p *Pruner) Prune(ctx context.Context, _ millrace.Task) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	until := p.clock().Add(pruneSlice)
	removed := map[millrace.Kept]int64{}
	ended, err := p.slice(ctx, until, removed)
	p.report(ctx, removed)
	for kind, n := range removed {
		p.removed[kind] += n
	}
	switch {
	case err != nil:
		return err
	case !ended:
		return millrace.RetryAfter(time.Second, nil)
	}
	clear(p.marks)
	total := maps.Clone(p.removed)
	clear(p.removed)
	return p.db.Update(ctx, func(tx *store.Tx) error { return tx.Rows().Cleaned(ctx, total) })
}

// slice works until the pass or its time is over, and reports whether it is the pass.
func (p *Pruner) slice(ctx context.Context, until time.Time, removed map[millrace.Kept]int64) (bool, error) {
	if err := p.forgetKeys(ctx); err != nil {
		return false, err
	}
	var environments []millrace.Environment
	err := p.db.View(ctx, func(tx *store.Tx) error {
		var err error
		environments, err = tx.Environments().All(ctx)
		return err
	})
	if err != nil {
		return false, err
	}
	for _, kind := range millrace.KeptKinds() {
		if p.keep[kind] <= 0 {
			continue
		}
		of := environments
		if kind == millrace.KeptAudit {
			of = append(slices.Clone(environments), millrace.Environment{}) // what belongs to the installation
		}
		for i := range of {
			at := prunePlace{of[i].ID, kind}
			removed[kind] += 0 // it was looked at
			for !p.marks[at].done {
				if !p.clock().Before(until) {
					return false, nil
				}
				n, err := p.look(ctx, at)
				removed[kind] += n
				if err != nil {
					return false, err
				}
			}
		}
	}
	return true, nil
}

// look is one transaction.
func (p *Pruner) look(ctx context.Context, at prunePlace) (int64, error) {
	out, err := store.Compute(ctx, p.db, func(tx *store.Tx) (store.Pruned, error) {
		before := tx.Now().Add(-p.keep[at.kind])
		unless, err := Needs(at.kind, before, tx.Now())
		if err != nil {
			return store.Pruned{}, err
		}
		return tx.Rows().Prune(ctx, store.Prune{
			Kind: at.kind, Environment: at.environment, Before: before, Unless: unless, After: p.marks[at].mark, Most: PrunedAtOnce,
		})
	})
	if err != nil {
		return 0, err
	}
	p.marks[at] = prunedTo{out.Next, out.Done}
	if out.Done {
		return out.Removed, nil
	}
	return out.Removed, pause(ctx, prunePause)
}

func (p *Pruner) report(ctx context.Context, removed map[millrace.Kept]int64) {
	var attrs []slog.Attr
	for _, kind := range millrace.KeptKinds() {
		if removed[kind] > 0 {
			attrs = append(attrs, slog.Int64(string(kind), removed[kind]))
		}
	}
	if len(attrs) > 0 {
		p.logger.LogAttrs(ctx, slog.LevelInfo, "old rows removed", attrs...)
	}
}

// forgetKeys removes keys against repetition whose time is over.
func (p *Pruner) forgetKeys(ctx context.Context) error {
	calls := func(tx *store.Tx) (int64, error) { return tx.Calls().Prune(ctx, PrunedAtOnce) }
	keys := func(tx *store.Tx) (int64, error) {
		return tx.Flow().PruneKeys(ctx, tx.Now().Add(-millrace.KeepWorkflowKey), PrunedAtOnce)
	}
	links := func(tx *store.Tx) (int64, error) {
		return tx.Accounts().Links().Prune(ctx, tx.Now().Add(-millrace.KeepLink), PrunedAtOnce)
	}
	sessions := func(tx *store.Tx) (int64, error) { return tx.Users().Sessions().Prune(ctx, tx.Now(), PrunedAtOnce) }
	for _, prune := range []func(*store.Tx) (int64, error){calls, keys, links, sessions} {
		for more := true; more; {
			n, err := store.Compute(ctx, p.db, prune)
			if err != nil {
				return err
			}
			more = n >= PrunedAtOnce
		}
	}
	return nil
}

// pause waits, unless ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
