package sqldb

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// ownFiles sees to it that only the owner of the process may read a SQLite database and the files beside it. One that does not
// exist is made, because SQLite would make it with the mode that the process has for all files. SQLite gives the files beside
// it the mode that it has. The files of a database that exists are not opened: closing them again would drop the locks that
// this process holds on them.
func ownFiles(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	switch {
	case err == nil:
		if err := file.Close(); err != nil {
			return fmt.Errorf("create %s: %w", path, err)
		}
	case !errors.Is(err, fs.ErrExist):
		return fmt.Errorf("create %s: %w", path, err)
	}
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			err = os.Chmod(name, info.Mode().Perm()&0o700)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("keep %s from others: %w", name, err)
		}
	}
	return nil
}
