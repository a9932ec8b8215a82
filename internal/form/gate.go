package form

import "sync"

// maxBusy is how many requests may look at the lists of one form at once: each may cost the provider many.
const maxBusy = 4

// gate counts the requests of each visitor.
type gate struct {
	mu   sync.Mutex
	busy map[string]int
}

func newGate() *gate { return &gate{busy: map[string]int{}} }

func (g *gate) enter(who string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.busy[who] >= maxBusy {
		return false
	}
	g.busy[who]++
	return true
}

func (g *gate) leave(who string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.busy[who]--; g.busy[who] == 0 {
		delete(g.busy, who)
	}
}
