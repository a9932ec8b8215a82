package memory

import (
	"context"
	"slices"
	"sync"
)

// Budget is a number of bytes that is shared by owners. The nil budget has no bounds.
type Budget struct {
	total, share int64

	mu      sync.Mutex
	used    int64
	owners  map[string]int64 // what each holds; absent: nothing
	waiting []*waiter        // in the order in which they came
}

// waiter waits for bytes.
type waiter struct {
	owner string
	n     int64
	ready chan struct{} // closed when they are granted
}

// New returns a budget of which one owner may hold half while others wait.
func New(total int64) *Budget {
	return &Budget{total: max(total, 1), share: max(total/2, 1), owners: map[string]int64{}}
}

// Lease is a reservation. The nil lease is one of a budget without bounds. A lease belongs to one goroutine at a time.
type Lease struct {
	b     *Budget
	owner string
	n     int64
}

// Used returns how many bytes are reserved, and how many callers wait.
func (b *Budget) Used() (int64, int) {
	if b == nil {
		return 0, 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used, len(b.waiting)
}

// Acquire reserves n bytes for an owner and waits until they are there, or until ctx ends. More than the whole budget
// counts as the whole budget, so that what is too large for it still gets its turn, alone.
func (b *Budget) Acquire(ctx context.Context, owner string, n int64) (*Lease, error) {
	if b == nil {
		return nil, nil //nolint:nilnil // the lease of a budget without bounds
	}
	l := &Lease{b: b, owner: owner}
	return l, l.Grow(ctx, n)
}

// Try reserves n bytes for an owner if they are there now and no one waits for them.
func (b *Budget) Try(owner string, n int64) (*Lease, bool) {
	if b == nil {
		return nil, true
	}
	l := &Lease{b: b, owner: owner}
	return l, l.TryGrow(n)
}

// Size returns how many bytes are reserved.
func (l *Lease) Size() int64 {
	if l == nil {
		return 0
	}
	return l.n
}

// Grow reserves n bytes more and waits for them, or until ctx ends. When it returns an error, the lease is as it was.
func (l *Lease) Grow(ctx context.Context, n int64) error {
	if l == nil || n <= 0 {
		return nil
	}
	b := l.b
	b.mu.Lock()
	n = min(n, b.total-l.n)
	w := &waiter{owner: l.owner, n: n, ready: make(chan struct{})}
	b.waiting = append(b.waiting, w)
	b.grant()
	b.mu.Unlock()
	select {
	case <-w.ready:
		l.n += n
		return nil
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.waiting, w); i >= 0 {
		b.waiting = slices.Delete(b.waiting, i, i+1)
	} else { // granted in this moment
		b.give(l.owner, n)
	}
	b.grant() // those behind it may fit
	return context.Cause(ctx)
}

// TryGrow reserves n bytes more if they are there now, and reports whether it did.
func (l *Lease) TryGrow(n int64) bool {
	if l == nil || n <= 0 {
		return true
	}
	b := l.b
	b.mu.Lock()
	defer b.mu.Unlock()
	n = min(n, b.total-l.n)
	for _, w := range b.waiting {
		if !b.overShare(w) {
			return false // it was here before
		}
	}
	w := &waiter{owner: l.owner, n: n}
	if b.overShare(w) || b.used+n > b.total {
		return false
	}
	b.take(l.owner, n)
	l.n += n
	return true
}

// Shrink gives back what is above n bytes.
func (l *Lease) Shrink(n int64) {
	if l == nil || n >= l.n {
		return
	}
	l.b.mu.Lock()
	defer l.b.mu.Unlock()
	l.b.give(l.owner, l.n-n)
	l.n = n
	l.b.grant()
}

// Release gives everything back. It may be called more than once.
func (l *Lease) Release() { l.Shrink(0) }

// overShare reports whether an owner would hold more than its share. One that holds nothing gets whatever it asks for.
func (b *Budget) overShare(w *waiter) bool {
	held := b.owners[w.owner]
	return held > 0 && held+w.n > b.share
}

// grant gives those that wait what there is. One whose owner has its share lets others pass; one that needs more than is
// left does not, or it would wait forever.
func (b *Budget) grant() {
	kept := b.waiting[:0]
	for i, w := range b.waiting {
		if b.overShare(w) {
			kept = append(kept, w)
			continue
		}
		if b.used+w.n > b.total {
			kept = append(kept, b.waiting[i:]...)
			break
		}
		b.take(w.owner, w.n)
		close(w.ready)
	}
	clear(b.waiting[len(kept):])
	b.waiting = kept
}

func (b *Budget) take(owner string, n int64) {
	b.used += n
	b.owners[owner] += n
}

func (b *Budget) give(owner string, n int64) {
	b.used -= n
	if b.owners[owner] -= n; b.owners[owner] <= 0 {
		delete(b.owners, owner)
	}
}
