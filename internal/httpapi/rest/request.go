package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"path"
	"runtime/debug"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/memory"
)

// Request is what is known about a request beside its input.
type Request struct {
	Principal // who makes it

	id       string
	At       millrace.Time // when it came
	HTTP     *http.Request
	SentPath string   // the path as it was sent, escaped
	columns  []string // of the rows of a list; none: all
	route    string   // the pattern of the route; empty: none
	cause    error    // of an internal error, for the log line
	w        *recorder
	leases   []*memory.Lease // given back when its response is written
}

type requestKey struct{}

func requestOf(ctx context.Context) *Request {
	r, _ := ctx.Value(requestKey{}).(*Request)
	return r
}

// Reject turns an error into what the client sees, and keeps the cause of an internal one for the log line.
func (r *Request) Reject(err error) *WireError {
	e := errorOf(err, r.id)
	if e.StatusCode >= http.StatusInternalServerError {
		r.cause = err
	}
	return e
}

// ServeHTTP handles a request and logs one line about it.
func (h *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := h.cfg.Clock()
	req := &Request{id: millrace.NewID[string](), At: millrace.TimeOf(start)}
	req.SentPath = r.URL.EscapedPath()
	rec := &recorder{ResponseWriter: w}
	req.w = rec
	defer req.release()
	rec.Header().Set("X-Request-Id", req.id)
	ctx, release := h.cfg.DB.Guard(context.WithValue(r.Context(), requestKey{}, req), writes(r))
	defer release()
	r = tidy(r.WithContext(ctx))
	req.HTTP = r
	defer func() {
		if p := recover(); p != nil {
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p) // the server's own way to cut a connection
			}
			e := req.Reject(fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
			if rec.status == 0 {
				writeEnvelope(rec, e)
			}
		}
		took := h.cfg.Clock().Sub(start)
		if h.cfg.Observe != nil {
			h.cfg.Observe(req.route, rec.status, took)
		}
		h.log(ctx, req, rec, took.Milliseconds())
	}()
	h.route(rec, r, req)
}

// writes reports whether a request may change something. providers' requests are stored whatever their method.
func writes(r *http.Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead || strings.Contains(r.URL.Path, "-webhook/")
}

// tidy gives the request a clean path: some clients double slashes, because their base URL ends in one. What is
// percent-encoded stays so, since the key of an entry may have slashes.
func tidy(r *http.Request) *http.Request {
	escaped := r.URL.EscapedPath()
	clean := path.Clean("/" + escaped)
	if clean == escaped {
		return r
	}
	plain, err := url.PathUnescape(clean)
	if err != nil {
		return r
	}
	u := *r.URL
	u.Path, u.RawPath = plain, clean
	r.URL = &u // r is a copy already
	return r
}

func (h *Router) log(ctx context.Context, req *Request, rec *recorder, ms int64) {
	attrs := []slog.Attr{
		slog.String("request_id", req.id),
		slog.String("method", req.HTTP.Method),
		slog.String("path", req.HTTP.URL.Path),
		slog.Int("status", rec.status),
		slog.Int64("duration_ms", ms),
	}
	if req.Environment != "" {
		attrs = append(attrs, slog.String("environment_id", string(req.Environment)))
	}
	level := slog.LevelInfo
	if req.cause != nil {
		level = slog.LevelError
		if rec.status == http.StatusServiceUnavailable {
			level = slog.LevelWarn // it passes, or an operator has switched something off
		}
		attrs = append(attrs, slog.String("err", req.cause.Error()))
	}
	h.cfg.Logger.LogAttrs(ctx, level, "request served", attrs...)
}

// route finds the route of a request, checks its token where the route wants one, and lets huma serve it.
func (h *Router) route(w http.ResponseWriter, r *http.Request, req *Request) {
	if feature := h.cfg.Unserved(r.URL.Path); feature != "" {
		writeEnvelope(w, NewError(http.StatusNotImplemented, feature+" are not available in Millrace"))
		return
	}
	fallback, pattern := h.mux.Handler(r)
	if pattern == "" {
		writeEnvelope(w, h.unrouted(fallback, r))
		return
	}
	req.route = pattern
	if needed := h.needed[pattern]; needed != Nothing {
		if err := h.admit(r.Context(), req, needed); err != nil {
			writeEnvelope(w, req.Reject(err))
			return
		}
	}
	h.mux.ServeHTTP(w, r)
}

// admit finds out who makes a request, and whether they may. What is logged says who it was, even when they may not.
func (h *Router) admit(ctx context.Context, req *Request, needed Need) error {
	if p, ok := ctx.Value(actingKey{}).(*Principal); ok {
		req.Principal = *p
		return needed.allows(p)
	}
	var err error
	if req.Principal, err = h.tokens.read(ctx, req.HTTP.Header.Get("Authorization")); err != nil {
		return err
	}
	if err := h.limit.Take(string(req.token.ID)); err != nil {
		return err
	}
	return needed.allows(&req.Principal)
}

// unrouted returns the error for a request without a route: the path is unknown, or it has other methods.
func (h *Router) unrouted(fallback http.Handler, r *http.Request) *WireError {
	probe := &recorder{ResponseWriter: discard{http.Header{}}}
	fallback.ServeHTTP(probe, r)
	if probe.status == http.StatusMethodNotAllowed {
		first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		return errMethod(r.Method, r.URL.Path, probe.Header().Get("Allow"), h.cfg.MethodNote(first))
	}
	return errorOf(millrace.Unknown("", "path", r.URL.Path, h.paths), "")
}

func writeEnvelope(w http.ResponseWriter, e *WireError) {
	maps.Copy(w.Header(), e.header)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.StatusCode)
	_ = json.NewEncoder(w).Encode(e) // the client has gone, or there is nothing to be done
}

// recorder remembers the status of the response.
type recorder struct {
	http.ResponseWriter
	status int
	read   *memory.Lease // of what was read for the response; shrinks to what is written
}

// WriteHeader notes the status.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets the standard library reach deadlines and flushing.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// discard is a response that no one reads.
type discard struct{ header http.Header }

// Header returns the headers.
func (d discard) Header() http.Header { return d.header }

// Write drops what is written.
func (discard) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader drops the status; the recorder around it has it.
func (discard) WriteHeader(int) {}
