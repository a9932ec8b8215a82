package store_test

import (
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// TestWeightsReachOtherProcesses changes the weight of an environment in one process, of which another learns when it looks.
func TestWeightsReachOtherProcesses(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		db, other := storetest.Open(t, url), storetest.Open(t, url)
		v := &millrace.Environment{Name: "Heavy"}
		if err := db.Update(t.Context(), func(tx *store.Tx) error { return tx.Environments().Create(t.Context(), v) }); err != nil {
			t.Fatal(err)
		}
		for _, weight := range []int64{250, millrace.DefaultWeight, millrace.MinWeight} {
			v.Weight = weight
			if err := db.Update(t.Context(), func(tx *store.Tx) error { return tx.Environments().Update(t.Context(), v) }); err != nil {
				t.Fatal(err)
			}
			if err := other.LoadWeights(t.Context()); err != nil {
				t.Fatal(err)
			}
			if a, b := db.Weight(v.ID), other.Weight(v.ID); a != weight || b != weight {
				t.Errorf("the weight is %d; this process knows %d, another %d", weight, a, b)
			}
		}
		late := storetest.Open(t, url)
		if got := late.Weight(v.ID); got != millrace.MinWeight {
			t.Errorf("a process that starts later knows the weight %d", got)
		}
	})
}
