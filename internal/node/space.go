package node

import (
	"fmt"
	"os"
	"syscall"
)

const (
	// spaceToStart is the free space that a start wants: for the log of changes, and for the pages that it is about to fill.
	spaceToStart = 32 << 20
	// SpaceToServe is the free space below which a server is not ready. What it stores may still fit into space within its file.
	SpaceToServe = 8 << 20
)

// LogSize returns the size of the log of changes of the SQLite database of a directory; 0: there is none.
func LogSize(dir string) int64 {
	info, err := os.Stat(SQLitePath(dir) + "-wal")
	if err != nil {
		return 0
	}
	return info.Size()
}

// FreeSpace returns how many bytes may be written to the file system of a directory, and false when it does not say.
func FreeSpace(dir string) (uint64, bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil || s.Bsize <= 0 {
		return 0, false
	}
	return s.Bavail * uint64(s.Bsize), true
}

// EnoughSpace returns an error that says what a start needs when the disk of the data directory is full.
func EnoughSpace(dir string) error {
	if free, known := FreeSpace(dir); known && free < spaceToStart {
		return fmt.Errorf("the disk of the data directory %s is full: %d MiB are free, and SQLite needs at least %d MiB to start; "+
			"make space, or move the directory to a larger disk", dir, free>>20, uint64(spaceToStart>>20))
	}
	return nil
}
