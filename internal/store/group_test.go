package store_test

import (
	"context"
	"sync"
	"testing"

	"github.com/millrace/millrace/internal/store"
)

// TestGroupIsBoundedInBytes lets many large items wait for one committer.
func TestGroupIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	const large, most = 1 << 20, 2 << 20
	begun, goOn := make(chan bool, 1), make(chan bool)
	var batches []int // of the one committer
	g := store.NewSizedGroup(func(_ context.Context, items []int) error {
		if len(batches) == 0 {
			begun <- true
			<-goOn
		}
		sum := 0
		for _, n := range items {
			sum += n
		}
		batches = append(batches, sum)
		return nil
	}, 1, func(n int) int { return n })
	var callers sync.WaitGroup
	add := func(n int) {
		callers.Go(func() {
			if err := g.Add(t.Context(), n); err != nil {
				t.Error(err)
			}
		})
	}
	add(large)
	<-begun
	for range 20 {
		add(large)
	}
	close(goOn)
	callers.Wait()
	g.Stop()
	all := 0
	for _, n := range batches {
		all += n
		if n > most {
			t.Errorf("a commit has %d bytes, want at most %d", n, most)
		}
	}
	if all != 21*large {
		t.Errorf("stored %d bytes, want %d", all, 21*large)
	}
}
