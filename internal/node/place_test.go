package node

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func take(t *testing.T, dir string) *Place {
	t.Helper()
	p, err := TakePlace(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Release)
	return p
}

func TestPlaceNamesThoseWhoHadItBefore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := take(t, dir)
	if len(first.Previous) != 0 {
		t.Errorf("the first node has predecessors: %v", first.Previous)
	}
	if err := first.Settle(); err != nil {
		t.Fatal(err)
	}
	beside := take(t, dir)
	if len(beside.Previous) != 0 {
		t.Errorf("a node beside a living one has predecessors: %v", beside.Previous)
	}
	first.Release()
	second := take(t, dir)
	second.Release() // dies before it has given back the tasks of the first
	third := take(t, dir)
	if want := []string{first.ID, second.ID}; !slices.Equal(third.Previous, want) {
		t.Errorf("got predecessors %v, want %v", third.Previous, want)
	}
	if err := third.Settle(); err != nil {
		t.Fatal(err)
	}
	third.Release()
	if fourth := take(t, dir); !slices.Equal(fourth.Previous, []string{third.ID}) {
		t.Errorf("got predecessors %v, want %v", fourth.Previous, []string{third.ID})
	}
}

func TestPlaceSurvivesAnUnreadableFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "node-0"), []byte("\x00\x00\nnot an id\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if p := take(t, dir); len(p.Previous) != 0 || p.ID == "" {
		t.Errorf("got %+v, want a node without predecessors", p)
	}
}
