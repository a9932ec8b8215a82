package sqldb

import (
	"sync"
	"time"

	"github.com/millrace/millrace"
)

// weights are those of the environments that have another than the default, as far as this process knows. They are set by SetWeights, and change with what this process commits.
type weights struct {
	mu sync.RWMutex
	of map[millrace.EnvironmentID]int64
}

func (w *weights) get(env millrace.EnvironmentID) int64 {
	if w == nil {
		return millrace.DefaultWeight
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	if weight, ok := w.of[env]; ok {
		return weight
	}
	return millrace.DefaultWeight
}

// cost is what a cost counts for an environment: for one of twice the weight half of it.
func (w *weights) cost(env millrace.EnvironmentID, cost time.Duration) time.Duration {
	return cost * millrace.DefaultWeight / time.Duration(w.get(env))
}

func (w *weights) set(env millrace.EnvironmentID, weight int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if weight == millrace.DefaultWeight {
		delete(w.of, env)
		return
	}
	if w.of == nil {
		w.of = map[millrace.EnvironmentID]int64{}
	}
	w.of[env] = weight
}

// Weight returns the weight of an environment.
func (db *DB) Weight(env millrace.EnvironmentID) int64 { return db.weights.get(env) }

// SetWeights sets what weights environments have that have another than the default.
func (db *DB) SetWeights(of map[millrace.EnvironmentID]int64) {
	db.weights.mu.Lock()
	defer db.weights.mu.Unlock()
	db.weights.of = of
}

// SetWeight notes the weight of an environment once the transaction has committed.
func (tx *Tx) SetWeight(id millrace.EnvironmentID, weight int64) {
	tx.AfterCommit(func() { tx.db.weights.set(id, weight) })
}
