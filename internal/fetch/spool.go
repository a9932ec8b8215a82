package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"runtime"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/fetch/wire"
	"github.com/millrace/millrace/internal/memory"
)

const (
	// maxHead is how much of a response is kept in memory while it comes. The rest waits in a file, so that a provider
	// that is slow, or that packs much into little, holds no memory.
	maxHead = 512 << 10
	// unmeasured is what a response may have without being measured: whatever is in it, it does not take much.
	unmeasured = 16 << 10
	// copies is how often the text of a page is there at once: as it came, decoded, and encoded for a delivery.
	copies = 3
)

// errSpool says that a long response could not be kept in its file.
var errSpool = errors.New("fetch: the file for a long response cannot be written")

// spool collects a response while it comes.
type spool struct {
	dir        string
	most       int64 // bytes
	maxDecoded int64 // bytes that it may take decoded; 0: it will not be decoded
	head       bytes.Buffer
	rest       *os.File
	meter      memory.Meter
	size       int64
}

// decodes reports whether a response will be decoded, as far as its headers tell: a text may be JSON under a wrong name.
func (c *call) decodes(h http.Header) bool {
	switch c.m.ResponseFormat {
	case "json", "xml":
		return true
	case "":
	default:
		return false
	}
	mediaType, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	return !c.stream && (mediaType == "" || strings.HasPrefix(mediaType, "text/") && mediaType != "text/csv" ||
		strings.HasSuffix(mediaType, "json") || strings.HasSuffix(mediaType, "xml") || mediaType == "application/javascript")
}

// ReadFrom reads a response to its end or to its bounds, at which it stops with a UnusableError.
func (p *spool) ReadFrom(r io.Reader) (int64, error) {
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			if failed := p.add(buf[:n]); failed != nil {
				return p.size, failed
			}
			// A page that was packed a thousandfold has come with one read of the network. Without this, each of many such pages
			// would work for the 10 ms that Go gives a goroutine, again and again, before anything else gets its turn.
			runtime.Gosched()
		}
		if errors.Is(err, io.EOF) {
			return p.size, nil
		}
		if err != nil {
			return p.size, err
		}
	}
}

func (p *spool) add(b []byte) error {
	b = b[:min(int64(len(b)), p.most+1-p.size)]
	p.size += int64(len(b))
	if p.size > p.most {
		return &wire.UnusableError{Message: fmt.Sprintf("the response is larger than %d bytes", p.most), Class: "too_large"}
	}
	if err := p.keep(b); err != nil {
		return fmt.Errorf("%w: %w", errSpool, err)
	}
	if p.maxDecoded == 0 || p.size <= unmeasured {
		return nil
	}
	if p.meter.Text() == 0 {
		b = p.head.Bytes() // all there is so far
	}
	_, _ = p.meter.Write(b) // never fails
	if p.meter.Size() > p.maxDecoded {
		return &wire.UnusableError{Class: "too_large", Message: fmt.Sprintf("the response has more than %d values, which would take more than %d bytes of memory; "+
			"ask for smaller pages", p.meter.Values(), p.maxDecoded)}
	}
	return nil
}

// keep keeps a part in memory or, behind the head, in a file that nothing else can find.
func (p *spool) keep(b []byte) error {
	if p.rest == nil && p.head.Len()+len(b) <= maxHead {
		p.head.Write(b)
		return nil
	}
	if p.rest == nil {
		f, err := os.CreateTemp(p.dir, "page-*")
		if err != nil {
			return err
		}
		p.rest = f
		if err := os.Remove(f.Name()); err != nil {
			return err
		}
	}
	_, err := p.rest.Write(b)
	return err
}

// close removes the file.
func (p *spool) close() {
	if p.rest != nil {
		_ = p.rest.Close() // it has no name any more
	}
}

// cost is what the page takes once it is decoded. Small ones are not counted.
func (p *spool) cost() int64 {
	if p.size <= unmeasured {
		return 0
	}
	return copies*p.size + p.meter.Size()
}

// load waits for memory and returns the whole text. A page that has come waits as long as it takes: the provider is done
// with it, and what it takes is reserved once. Only a caller that holds memory already, for which others may wait, is
// rejected with an error of KindUnavailable when its patience ends.
func (p *spool) load(ctx context.Context, b *memory.Budget, req *Request) ([]byte, *memory.Lease, error) {
	limited := ctx
	if req.Patience > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, req.Patience)
		defer cancel()
	}
	lease, err := b.Acquire(limited, req.Owner, p.cost())
	switch {
	case err != nil && ctx.Err() == nil:
		return nil, nil, &millrace.Error{Kind: millrace.KindUnavailable, Message: "the server has no memory left for the response at the moment; try again", Err: err}
	case err != nil:
		return nil, nil, err
	}
	if p.rest == nil {
		return p.head.Bytes(), lease, nil
	}
	text := make([]byte, p.size)
	n := copy(text, p.head.Bytes())
	if _, err := p.rest.ReadAt(text[n:], 0); err != nil {
		lease.Release()
		return nil, nil, fmt.Errorf("read the response from its file: %w", err)
	}
	return text, lease, nil
}

// beginning is what is shown of a page that is not used.
func (p *spool) beginning() []byte { return p.head.Bytes() }
