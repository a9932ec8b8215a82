package sqldb

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/s2"
)

// maxUnpacked bounds what a stored body may unpack to.
const maxUnpacked = 256 << 20

// packMin is the size from which compressing pays.
const packMin = 512

// How stored bytes are compressed; the first byte says it.
const (
	packedNot = iota
	packedFlate
	packedS2
)

// Pack compresses bytes.
func (tx *Tx) Pack(b []byte) []byte {
	switch {
	case len(b) == 0:
		return []byte{}
	case len(b) < packMin || s2.MaxEncodedLen(len(b)) < 0: // the second: too large for the format
		return append([]byte{packedNot}, b...)
	}
	room, _ := tx.db.scratch.Get().(*[]byte)
	if room == nil {
		room = new([]byte)
	}
	defer tx.db.scratch.Put(room)
	*room = s2.Encode((*room)[:cap(*room)], b)
	return append([]byte{packedS2}, *room...)
}

// Unpack returns the bytes that Pack has compressed.
func Unpack(b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, nil
	}
	switch b[0] {
	case packedNot:
		return b[1:], nil
	case packedFlate: // written by earlier versions
		return io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(b[1:])), maxUnpacked))
	case packedS2:
		n, err := s2.DecodedLen(b[1:])
		if err != nil || n > maxUnpacked {
			return nil, fmt.Errorf("stored bytes claim to be %d: %w", n, err)
		}
		out := make([]byte, n)
		touch(out)
		return s2.Decode(out, b[1:])
	}
	return nil, errors.New("stored body has an unknown form")
}

// Touch makes the system provide memory before a call uses it that nothing can interrupt. For 14 MB that may take 100 ms, in which
// the collector would wait for that call, and everything else for the collector.
func touch(b []byte) {
	for i := 0; i < len(b); i += os.Getpagesize() {
		b[i] = 0
	}
}
