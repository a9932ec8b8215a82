package sqldb

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// other watches whether another process keeps the lock of the file, and does nothing with it. What this process does with the lock, as
// the queue does, is no reason to give up: it ends.
type other struct {
	path string
	log  string // what the log of changes looked like
	vain looks
}

func (b *sqliteBackend) newOther() *other {
	o := &other{path: b.path}
	o.vain.reset(time.Now()) //nolint:forbidigo // a lock is waited for in real time
	return o
}

// blocks looks, and tells whether another process has held the lock, and written nothing, for long enough.
func (o *other) blocks() bool {
	now := time.Now() //nolint:forbidigo // a lock is waited for in real time
	if log := logOf(o.path); log != o.log || !lockedByOther(o.path) {
		o.log = log
		o.vain.reset(now)
		return false
	}
	return o.vain.vain(now)
}

// logOf describes the log of changes, which grows or is written over with each commit.
func logOf(path string) string {
	info, err := os.Stat(path + "-wal")
	if err != nil {
		return ""
	}
	return fmt.Sprint(info.Size(), info.ModTime().UnixNano())
}

// Where SQLite keeps its locks: the byte that a writer locks in the index of the log, and the first of those that are locked in the file
// itself by a process that wants it alone.
const (
	writeLockByte   = 120
	pendingLockByte = 0x40000000
)

// lockedByOther reports whether the kernel knows of another process that holds the lock for writing. It reads the kernel's list, since
// opening and closing the files would free the locks of this process. Where there is no list it reports false.
func lockedByOther(path string) bool {
	raw, err := os.ReadFile("/proc/locks")
	if err != nil {
		return false
	}
	index, file := inode(path+"-shm"), inode(path)
	for line := range strings.Lines(string(raw)) {
		// 1: POSIX ADVISORY WRITE 3064 fe:00:11272371 120 120
		f := strings.Fields(line)
		if len(f) != 8 || f[1] != "POSIX" || f[3] != "WRITE" || f[4] == strconv.Itoa(os.Getpid()) {
			continue
		}
		node, first, last := f[5][strings.LastIndexByte(f[5], ':')+1:], bound(f[6]), bound(f[7])
		if node == index && first <= writeLockByte && last >= writeLockByte || node == file && last >= pendingLockByte {
			return true
		}
	}
	return false
}

func inode(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "none"
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return strconv.FormatUint(s.Ino, 10)
	}
	return "none"
}

// bound reads a bound of a lock. EOF is the end.
func bound(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 1<<63 - 1
	}
	return n
}
