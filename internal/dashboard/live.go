package dashboard

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/millrace/millrace"
)

// How often a page that is open is looked at, and how long one stream lasts.
const (
	lookEvery  = time.Second
	streamTime = 90 * time.Second
)

// idle is how much longer than a look the pages that are open wait for the next one: all of them together take a thirtieth of a core.
const idle = 29

// pace keeps the looks of all open pages apart.
type pace struct {
	mu   sync.Mutex
	turn chan struct{}
	rest time.Duration // before the next look
}

// wait returns true when a look may be made, and false when ctx ends.
func (p *pace) wait(ctx context.Context) bool {
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	p.mu.Lock()
	rest := p.rest
	p.rest = 0
	p.mu.Unlock()
	timer := time.NewTimer(rest)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		<-p.turn
		return false
	}
}

// spent ends a look.
func (p *pace) spent(d time.Duration) {
	p.mu.Lock()
	p.rest = min(idle*d, time.Minute)
	p.mu.Unlock()
	<-p.turn
}

// live tells an open page when it is to be read again, as server-sent events: one at most in lookEvery, with a hash of the page as its id. The
// browser says what it shows, in the address or, when it comes back, by the id.
func (h *Handler) live(w http.ResponseWriter, r *http.Request) {
	req, ok := h.enter(w, r, millrace.RoleViewer)
	if !ok {
		return
	}
	page := r.URL.Query().Get("page")
	if inside(page) != page || !strings.HasPrefix(page, Root+"/environment/"+string(req.env.ID)) {
		h.fail(w, r, req, millrace.Invalid("page", "must be a page of the environment"))
		return
	}
	control := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	seen := cmp.Or(r.Header.Get("Last-Event-ID"), r.URL.Query().Get("seen"))
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	end := time.NewTimer(streamTime)
	defer end.Stop()
	for {
		id, ok := h.state(r, page)
		if !ok {
			return
		}
		if id != seen {
			if _, err := fmt.Fprintf(w, "id: %s\nevent: changed\ndata: %s\n\n", id, id); err != nil {
				return
			}
		}
		seen = id
		if control.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-end.C:
			return
		case <-h.stopped:
			return
		case <-tick.C:
		}
	}
}

// state looks at a page and returns the hash of what it shows.
func (h *Handler) state(r *http.Request, page string) (string, bool) {
	in, err := http.NewRequestWithContext(r.Context(), http.MethodGet, page, http.NoBody) //nolint:gosec // it goes to the pages of this process only
	if err != nil {
		return "", false
	}
	in.Header = r.Header.Clone()
	if !h.pace.wait(r.Context()) {
		return "", false
	}
	began := h.Clock()
	w := &recorder{header: http.Header{}, status: http.StatusOK}
	h.mux.ServeHTTP(w, in)
	h.pace.spent(h.Clock().Sub(began))
	state := w.header.Get(stateHeader)
	return state, w.status == http.StatusOK && state != ""
}

// A page that changes says what it shows in a header, and has it in the address of its stream.
const (
	stateMark   = "state-of-the-page"
	stateHeader = "Millrace-State"
)

// stateOf is a hash of a page without the times that pass.
func stateOf(page []byte) string {
	sum := fnv.New64a()
	for {
		before, rest, timed := bytes.Cut(page, []byte("<time "))
		_, _ = sum.Write(before)
		if !timed {
			break
		}
		attributes, after, _ := bytes.Cut(rest, []byte(">"))
		_, _ = sum.Write(attributes)
		if _, page, timed = bytes.Cut(after, []byte("</time>")); !timed {
			break
		}
	}
	return strconv.FormatUint(sum.Sum64(), 36)
}
