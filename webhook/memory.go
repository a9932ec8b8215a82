package webhook

import (
	"context"
	"sync"
)

// Memory is a [Log] in this process. It forgets the oldest half of what it knows when it is full, and everything when
// the process ends.
type Memory struct {
	mu       sync.Mutex
	capacity int
	recent   known
	older    known
}

// known is what was handled in one of two generations.
type known struct {
	ids  map[string]bool
	runs map[string]int64 // the highest sequence
}

func newKnown() known { return known{ids: map[string]bool{}, runs: map[string]int64{}} }

func (k known) has(d *Delivery) bool {
	return k.ids[d.ID] || d.Sequence > 0 && k.runs[d.RunID] >= d.Sequence
}

// NewMemory returns a log that remembers at least the last half of capacity deliveries.
func NewMemory(capacity int) *Memory {
	return &Memory{capacity: max(capacity, 2), recent: newKnown(), older: newKnown()}
}

// Handled implements Log.
func (m *Memory) Handled(_ context.Context, d *Delivery) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.recent.has(d) || m.older.has(d), nil
}

// Done implements Log.
func (m *Memory) Done(_ context.Context, d *Delivery) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if d.Sequence > 0 {
		m.recent.runs[d.RunID] = max(m.recent.runs[d.RunID], d.Sequence)
	} else {
		m.recent.ids[d.ID] = true
	}
	if len(m.recent.ids)+len(m.recent.runs) >= m.capacity/2 {
		m.older, m.recent = m.recent, newKnown()
	}
	return nil
}

// busy is the deliveries that are being handled.
type busy struct {
	mu  sync.Mutex
	ids map[string]bool
}

func (b *busy) enter(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ids[id] {
		return false
	}
	if b.ids == nil {
		b.ids = map[string]bool{}
	}
	b.ids[id] = true
	return true
}

func (b *busy) leave(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.ids, id)
}
