package expr

import (
	linked "container/list"
	"sync"
)

// Bounds of the cache of compiled programs. A program may take some hundred times the space of its source.
const (
	maxCachedPrograms = 4096
	maxCachedMemory   = 48 << 20 // bytes, roughly
)

// programCache keeps the programs that were used last. Its bound is the memory that they take, which package cache does not count. Sources that do not compile are not kept: they are
// rejected when they are saved and do not come again.
type programCache struct {
	mu       sync.Mutex
	order    *linked.List // of *Program, the one used last in front
	bySource map[string]*linked.Element
	size     int // bytes of memory, roughly
}

func newProgramCache() *programCache {
	return &programCache{order: linked.New(), bySource: make(map[string]*linked.Element)}
}

// get returns the program for src, and compiles it if it is not there. Two goroutines that miss at the same time both
// compile, which costs less than making one wait for the other.
func (c *programCache) get(src string, compile func() (*Program, error)) (*Program, error) {
	if p := c.find(src); p != nil {
		return p, nil
	}
	p, err := compile()
	if err != nil {
		return nil, err
	}
	c.add(src, p)
	return p, nil
}

func (c *programCache) find(src string) *Program {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.bySource[src]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*Program)
}

func (c *programCache) add(src string, p *Program) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bySource[src] != nil || p.program.Size() > maxCachedMemory/4 {
		return
	}
	c.bySource[src] = c.order.PushFront(p)
	c.size += p.program.Size()
	for c.order.Len() > maxCachedPrograms || c.size > maxCachedMemory {
		oldest := c.order.Remove(c.order.Back()).(*Program)
		delete(c.bySource, oldest.String())
		c.size -= oldest.program.Size()
	}
}
