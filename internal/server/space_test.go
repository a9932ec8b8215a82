package server

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/node"
)

// smallDisk returns a directory that is a disk of its own, and a function that changes its size.
func smallDisk(t *testing.T, size string) (string, func(size string)) {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("SKIPPED, a disk that is full needs the right to mount one: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir, func(size string) {
		t.Helper()
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size="+size); err != nil {
			t.Fatal(err)
		}
	}
}

// A start on a full disk says what it needs and leaves nothing behind; with space it starts, and says when there is no more.
func TestAStartOnAFullDiskSaysWhatItNeeds(t *testing.T) {
	t.Parallel()
	dir, resize := smallDisk(t, "16m")
	opts := Options{DataDir: dir, Logger: slog.New(slog.DiscardHandler), Addr: "127.0.0.1:0"}
	_, err := New(t.Context(), opts)
	if err == nil {
		t.Fatal("it starts on a disk of 16 MiB")
	}
	for _, want := range []string{dir, "full", "needs at least 32 MiB", "make space"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want it to say %q", err, want)
		}
	}
	if _, err := os.Stat(node.SQLitePath(dir)); !os.IsNotExist(err) {
		t.Errorf("it left a database behind: %v", err)
	}
	resize("128m")
	s, err := New(t.Context(), opts)
	if err != nil {
		t.Fatalf("with space: %v", err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	if err := s.ready(t.Context()); err != nil {
		t.Errorf("with space it is not ready: %v", err)
	}
	fill := filepath.Join(dir, "fill")
	free, _ := node.FreeSpace(dir)
	if err := os.WriteFile(fill, make([]byte, free-node.SpaceToServe/2), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.ready(t.Context()); millrace.KindOf(err) != millrace.KindUnavailable || !strings.Contains(err.Error(), "at least 8 MiB") {
		t.Errorf("on a full disk: got %v", err)
	}
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	if err := s.ready(t.Context()); err != nil {
		t.Errorf("with space again: %v", err)
	}
}
