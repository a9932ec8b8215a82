package server

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func take(t *testing.T, dir string) *place {
	t.Helper()
	p, err := takePlace(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.release)
	return p
}

func TestPlaceNamesThoseWhoHadItBefore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := take(t, dir)
	if len(first.previous) != 0 {
		t.Errorf("the first node has predecessors: %v", first.previous)
	}
	if err := first.settle(); err != nil {
		t.Fatal(err)
	}
	beside := take(t, dir)
	if len(beside.previous) != 0 {
		t.Errorf("a node beside a living one has predecessors: %v", beside.previous)
	}
	first.release()
	second := take(t, dir)
	second.release() // dies before it has given back the tasks of the first
	third := take(t, dir)
	if want := []string{first.node, second.node}; !slices.Equal(third.previous, want) {
		t.Errorf("got predecessors %v, want %v", third.previous, want)
	}
	if err := third.settle(); err != nil {
		t.Fatal(err)
	}
	third.release()
	if fourth := take(t, dir); !slices.Equal(fourth.previous, []string{third.node}) {
		t.Errorf("got predecessors %v, want %v", fourth.previous, []string{third.node})
	}
}

func TestPlaceSurvivesAnUnreadableFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "node-0"), []byte("\x00\x00\nnot an id\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if p := take(t, dir); len(p.previous) != 0 || p.node == "" {
		t.Errorf("got %+v, want a node without predecessors", p)
	}
}
