package server

import (
	"context"
	"fmt"
	"syscall"

	"github.com/millrace/millrace"
)

const (
	// spaceToStart is the free space that a start wants: for the log of changes, and for the pages that it is about to fill.
	spaceToStart = 32 << 20
	// spaceToServe is the free space below which a server is not ready. What it stores may still fit into space within its file.
	spaceToServe = 8 << 20
)

// freeSpace returns how many bytes may be written to the file system of a directory, and false when it does not say.
func freeSpace(dir string) (uint64, bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil || s.Bsize <= 0 {
		return 0, false
	}
	return s.Bavail * uint64(s.Bsize), true
}

// enoughSpace returns an error that says what a start needs when the disk of the data directory is full.
func enoughSpace(dir string) error {
	if free, known := freeSpace(dir); known && free < spaceToStart {
		return fmt.Errorf("the disk of the data directory %s is full: %d MiB are free, and SQLite needs at least %d MiB to start; "+
			"make space, or move the directory to a larger disk", dir, free>>20, uint64(spaceToStart>>20))
	}
	return nil
}

// ready says why the server cannot do its work.
func (s *Server) ready(context.Context) error {
	if s.db.Postgres() != nil {
		return nil
	}
	if free, known := freeSpace(s.opts.DataDir); known && free < spaceToServe {
		return millrace.Errorf(millrace.KindUnavailable, "the disk of the data directory is full: %d MiB are free, at least %d MiB are needed", free>>20, uint64(spaceToServe>>20))
	}
	return nil
}
