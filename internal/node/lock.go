package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Lock keeps a second server from using the same SQLite file. It is held on the file itself, whatever name leads to it, and
// on a lock file beside it, which earlier versions look at. The kernel frees it when the process ends, however it ends.
//
// The lock on the database is flock's, which knows nothing of the locks that SQLite takes with fcntl. Those, though, end when the
// process closes any descriptor of the file: ours stays open until the database is closed.
type Lock struct{ files []*os.File }

// LockDir locks a data directory. The error says which process to stop when another has it.
func LockDir(dir string) (*Lock, error) {
	l := &Lock{}
	path := filepath.Join(dir, "lock")
	switch err := l.add(path); {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return nil, fmt.Errorf("another millrace serves the data directory %s (it holds a lock on %s): stop it first, or use another --data-dir", dir, path)
	case err != nil:
		return nil, fmt.Errorf("lock the data directory: %w", err)
	}
	return l, nil
}

// Database locks the database file. A nil lock locks nothing.
func (l *Lock) Database(path string) error {
	if l == nil {
		return nil
	}
	switch err := l.add(path); {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return fmt.Errorf("another millrace serves the database %s (it holds a lock on the file): stop it first, or use another --data-dir", path)
	case err != nil:
		return fmt.Errorf("lock the database: %w", err)
	}
	return nil
}

func (l *Lock) add(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		return fmt.Errorf("lock %s: %w", path, err)
	}
	l.files = append(l.files, file)
	return nil
}

// Release frees the lock. A nil lock is none.
func (l *Lock) Release() {
	if l == nil {
		return
	}
	for _, file := range l.files {
		_ = file.Close()
	}
}
