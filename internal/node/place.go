package node

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/millrace/millrace"
)

// maxPlaces bounds how many nodes of a cluster may share a data directory.
const maxPlaces = 64

// Place is a file in the data directory that one node of a cluster holds locked while it lives. It names the node, so
// that the next node in this place knows that this one is dead, and need not wait until its heartbeat is missed. The
// kernel frees the lock when the process ends, however it ends.
//
// The file has a line for the node and one for each node before it whose tasks may not have been given back. A node has
// a new name each time, so that a copy of a data directory on another machine is not mistaken for the same node.
type Place struct {
	file     *os.File
	ID       string
	Previous []string
}

// TakePlace takes the first free place of a data directory. Where files cannot be locked there are no places: the node
// then has a name and no predecessors, which costs the time until a missing heartbeat is noticed.
func TakePlace(dir string) (*Place, error) {
	for i := range maxPlaces {
		file, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("node-%d", i)), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, fmt.Errorf("open node file: %w", err)
		}
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return enterPlace(file)
		}
		_ = file.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			break
		}
	}
	return &Place{ID: millrace.NewID[string]()}, nil
}

func enterPlace(file *os.File) (*Place, error) {
	p := &Place{file: file, ID: millrace.NewID[string]()}
	text, err := io.ReadAll(io.LimitReader(file, 1<<20))
	if err == nil {
		for line := range strings.FieldsSeq(string(text)) {
			if millrace.IsID(line) {
				p.Previous = append(p.Previous, line)
			}
		}
		_, err = file.WriteAt([]byte(p.ID+"\n"), int64(len(text)))
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("write node file: %w", err)
	}
	return p, nil
}

// Settle forgets the nodes before, whose tasks have been given back. All lines are equally long, so a crash in the
// middle leaves whole ones.
func (p *Place) Settle() error {
	if p == nil || p.file == nil {
		return nil
	}
	line := []byte(p.ID + "\n")
	if _, err := p.file.WriteAt(line, 0); err != nil {
		return fmt.Errorf("write node file: %w", err)
	}
	return p.file.Truncate(int64(len(line)))
}

// Release gives up the place. A nil place is none.
func (p *Place) Release() {
	if p != nil && p.file != nil {
		_ = p.file.Close()
	}
}
