package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/millrace/millrace"
)

// weights are those of the environments that have another than the default, as far as this process knows. They are read when the
// database is opened and by LoadWeights, and change with what this process commits.
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

// LoadWeights reads what weights environments have, which other processes may have changed.
func (db *DB) LoadWeights(ctx context.Context) error {
	of := map[millrace.EnvironmentID]int64{}
	err := db.View(ctx, func(tx *Tx) error {
		all, err := tx.db.tables.environment.all(ctx, tx, "weight <> $1", millrace.DefaultWeight)
		for _, v := range all {
			of[v.ID] = v.Weight
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("read the weights of environments: %w", err)
	}
	db.weights.mu.Lock()
	defer db.weights.mu.Unlock()
	db.weights.of = of
	return nil
}

// weighed notes the weight of an environment once it is committed.
func (tx *Tx) weighed(v *millrace.Environment) {
	id, weight := v.ID, v.Weight
	tx.AfterCommit(func() { tx.db.weights.set(id, weight) })
}
