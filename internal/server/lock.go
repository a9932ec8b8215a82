package server

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// dirLock keeps a second server from using the same SQLite file. The kernel frees it when the process ends, however
// it ends.
type dirLock struct{ file *os.File }

func lockDir(dir string) (*dirLock, error) {
	path := filepath.Join(dir, "lock")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock file: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("another millrace serves the data directory %s (its lock file is held)", dir)
	}
	return &dirLock{file}, nil
}

// release frees the lock. A nil lock is none.
func (l *dirLock) release() {
	if l != nil {
		_ = l.file.Close()
	}
}
