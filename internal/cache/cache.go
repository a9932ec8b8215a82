// Package cache keeps what would otherwise be loaded or computed again: for a while, and no more than so many values, of which
// the one that was used longest ago goes first. It is for what may be forgotten at any time.
package cache

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Cache keeps values by their keys. It is safe for concurrent use.
//
// It is not the module's own cache with a lifetime, whose goroutine never ends and which asks no clock but the machine's.
type Cache[K comparable, V any] struct {
	life  time.Duration
	clock func() time.Time
	kept  *lru.Cache[K, entry[V]]
}

type entry[V any] struct {
	value V
	at    time.Time
}

// New returns a cache of so many values, at least one, which forgets each after its life by the given clock.
func New[K comparable, V any](size int, life time.Duration, clock func() time.Time) *Cache[K, V] {
	kept, _ := lru.New[K, entry[V]](max(size, 1)) // fails for sizes below one only
	return &Cache[K, V]{life: life, clock: clock, kept: kept}
}

// NewLasting returns a cache of so many values, at least one, which forgets none because of its age.
func NewLasting[K comparable, V any](size int) *Cache[K, V] { return New[K, V](size, 0, nil) }

// Get returns the value of a key, and whether it is there.
func (c *Cache[K, V]) Get(key K) (V, bool) {
	e, ok := c.kept.Get(key)
	if !ok || !c.fresh(e.at) {
		var none V
		return none, false
	}
	return e.value, true
}

// fresh reports whether what was kept at that time still counts. A clock that was set back ends every life.
func (c *Cache[K, V]) fresh(at time.Time) bool {
	if c.clock == nil {
		return true
	}
	age := c.clock().Sub(at)
	return age >= 0 && age < c.life
}

// Set keeps a value, whose life begins now.
func (c *Cache[K, V]) Set(key K, value V) { c.set(key, value, c.now()) }

func (c *Cache[K, V]) set(key K, value V, at time.Time) { c.kept.Add(key, entry[V]{value, at}) }

func (c *Cache[K, V]) now() time.Time {
	if c.clock == nil {
		return time.Time{}
	}
	return c.clock()
}

// Delete forgets a key.
func (c *Cache[K, V]) Delete(key K) { c.kept.Remove(key) }

// Load returns the value of a key. When it is not there it is loaded, and its life begins at the time before: what has changed
// while it was loaded counts as not seen. Errors are not kept. Callers that come at the same time each load it.
func (c *Cache[K, V]) Load(key K, load func() (V, error)) (V, error) {
	if v, ok := c.Get(key); ok {
		return v, nil
	}
	at := c.now()
	v, err := load()
	if err == nil {
		c.set(key, v, at)
	}
	return v, err
}

// Share returns the value of a key, which all callers get until it is forgotten; the given one if there is none yet. It asks for no
// age.
func (c *Cache[K, V]) Share(key K, fresh V) V {
	if e, ok := c.kept.Get(key); ok {
		return e.value
	}
	if e, ok, _ := c.kept.PeekOrAdd(key, entry[V]{fresh, c.now()}); ok {
		return e.value
	}
	return fresh
}
