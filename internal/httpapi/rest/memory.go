package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/document"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/internal/store"
)

const (
	// patience is how long a request waits for memory before it is rejected.
	patience = 5 * time.Second
	// atOnce and slowest bound how slowly a body may come and a response may be taken: so many bytes in so much time.
	atOnce  = 256 << 10
	slowest = 10 * time.Second
	// firstRoom is what a body gets before it is known to be larger.
	firstRoom = 4 << 10

	// What a decoded value takes, with what is made of it while it is checked.
	costOfValue = 160
	// costOfText is how often the text of a body is there: as it came, decoded, and encoded to be stored.
	costOfText = 3
	// costOfSmall is what a byte of a small body may take at worst, so that small ones are not measured.
	costOfSmall, smallBody = costOfText + costOfValue/2, 16 << 10
	// costOfYAML is what a byte of YAML takes as long as the library reads it, and maxOfYAML what its limits allow.
	costOfYAML, maxOfYAML = 64, 48 << 20

	// roomOfRead is reserved for a response before the rows are read: a page as large as a page may be, twice.
	roomOfRead = 8 << 20
)

// reserve adds to a lease, or returns an error of KindUnavailable when there is not enough memory in time.
func reserve(ctx context.Context, l *memory.Lease, n int64, what string) error {
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := l.Grow(waiting, n); err != nil {
		if cause := context.Cause(ctx); errors.Is(cause, store.ErrSilent) {
			return cause // the request has ended for another reason
		}
		return &millrace.Error{
			Kind: millrace.KindUnavailable, Err: err,
			Message: "the server has no memory left for " + what + " at the moment; try again",
		}
	}
	return nil
}

// Lease adds memory to what a request holds until its response is written.
func (r *Request) Lease(ctx context.Context, b *memory.Budget, n int64, what string) (*memory.Lease, error) {
	l, err := b.Acquire(ctx, r.owner(), 0)
	if err == nil {
		err = reserve(ctx, l, n, what)
	}
	if err != nil {
		return nil, err
	}
	r.leases = append(r.leases, l)
	return l, nil
}

// release gives back all that a request holds.
func (r *Request) release() {
	for _, l := range r.leases {
		l.Release()
	}
}

// owner names whose memory a request takes: its environment's or, of requests without a token, its path's.
func (r *Request) owner() string {
	if r.Environment != "" {
		return string(r.Environment)
	}
	return r.SentPath
}

// before returns the deadline of a connection that ends after d. It is in real time whatever clock the server has.
func before(d time.Duration) time.Time {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	deadline, _ := ctx.Deadline()
	return deadline
}

// ReadBody reads a body of at most limit bytes. Memory is reserved as the body comes, so that one who only says that
// there is more holds none, and the connection is cut when it comes too slowly.
func (r *Request) readBody(pool *memory.Budget, limit int64) ([]byte, error) {
	ctx := r.HTTP.Context()
	room := min(max(r.HTTP.ContentLength+1, firstRoom), atOnce)
	lease, err := r.Lease(ctx, pool, room, "another body")
	if err != nil {
		return nil, err
	}
	conn := http.NewResponseController(r.w)
	slow := r.HTTP.ContentLength < 0 || r.HTTP.ContentLength > firstRoom
	defer func() {
		if slow {
			_ = conn.SetReadDeadline(time.Time{}) // it would end the request while its response is written
		}
	}()
	body, due := make([]byte, 0, room), 0
	for {
		if slow && len(body) >= due {
			_ = conn.SetReadDeadline(before(slowest)) // not every connection has one
			due = len(body) + atOnce
		}
		n, err := r.HTTP.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case int64(len(body)) > limit:
			// Most clients read the response only when they have sent everything.
			_, _ = io.CopyN(io.Discard, r.HTTP.Body, 4*limit)
			return nil, millrace.Errorf(millrace.KindTooLarge, "the body is larger than %d bytes", limit)
		case errors.Is(err, io.EOF):
			return body, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, NewError(http.StatusRequestTimeout, fmt.Sprintf("the body came too slowly: less than %d bytes in %s", atOnce, slowest))
		case err != nil:
			return nil, &millrace.Error{Kind: millrace.KindInvalid, Message: "the body could not be read to its end", Err: err}
		}
		if len(body) == cap(body) {
			larger := min(2*int64(cap(body)), limit+1)
			if err := reserve(ctx, lease, larger-int64(cap(body)), "a body of this size"); err != nil {
				return nil, err
			}
			body = append(make([]byte, 0, larger), body...)
		}
	}
}

// CostOf estimates what it takes to decode and check a body.
func CostOf(raw []byte, yaml bool) int64 {
	n := int64(len(raw))
	cost := n * costOfSmall
	if n > smallBody {
		cost = n*costOfText + min(memory.Measure(raw).Values()+1, document.MaxValues)*costOfValue
	}
	if yaml && n <= document.MaxYAML {
		cost = max(cost, min(n*costOfYAML, maxOfYAML))
	}
	return cost
}

// Write writes a part of the response. The client has to take it at some speed: one that does not is cut, because what it
// has not taken is kept in memory for it. It also notes that a response without a status has status 200.
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	if r.read != nil {
		r.read.Shrink(2 * int64(len(b)))
	}
	if len(b) <= atOnce/4 {
		return r.ResponseWriter.Write(b)
	}
	conn := http.NewResponseController(r.ResponseWriter)
	written := 0
	for written < len(b) {
		_ = conn.SetWriteDeadline(before(slowest)) // not every connection has one
		n, err := r.ResponseWriter.Write(b[written:min(written+atOnce, len(b))])
		written += n
		if err != nil {
			return written, err
		}
	}
	return written, nil
}
