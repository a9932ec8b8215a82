package httpapi

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

// request is what is known about a request beside its input.
type request struct {
	id          string
	http        *http.Request
	environment millrace.EnvironmentID // of the token
	sent        string                 // the path as it was sent, escaped
	route       string                 // the pattern of the route; empty: none
	cause       error                  // of an internal error, for the log line
	w           *recorder
	leases      []*memory.Lease // given back when it is answered
}

type requestKey struct{}

func requestOf(ctx context.Context) *request {
	r, _ := ctx.Value(requestKey{}).(*request)
	return r
}

// refuse turns an error into what the client sees, and keeps the cause of an internal one for the log line.
func (r *request) refuse(err error) *envelope {
	e := envelopeOf(err, r.id)
	if e.StatusCode >= http.StatusInternalServerError {
		r.cause = err
	}
	return e
}

// ServeHTTP answers a request and logs one line about it.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := a.cfg.Clock()
	req := &request{id: millrace.NewID[string]()}
	req.sent = r.URL.EscapedPath()
	rec := &recorder{ResponseWriter: w}
	req.w = rec
	defer req.release()
	rec.Header().Set("X-Request-Id", req.id)
	ctx, release := a.cfg.DB.Guard(context.WithValue(r.Context(), requestKey{}, req), writes(r))
	defer release()
	r = tidy(r.WithContext(ctx))
	req.http = r
	defer func() {
		if p := recover(); p != nil {
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p) // the server's own way to cut a connection
			}
			e := req.refuse(fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
			if rec.status == 0 {
				writeEnvelope(rec, e)
			}
		}
		took := a.cfg.Clock().Sub(start)
		if a.cfg.Observe != nil {
			a.cfg.Observe(req.route, rec.status, took)
		}
		a.log(ctx, req, rec, took.Milliseconds())
	}()
	a.route(rec, r, req)
}

// writes reports whether a request may change something. Third parties' requests are stored whatever their method.
func writes(r *http.Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead || strings.Contains(r.URL.Path, "-webhook/")
}

// sentPath returns the path of a request as it was sent, escaped.
func sentPath(ctx context.Context) string {
	if r := requestOf(ctx); r != nil {
		return r.sent
	}
	return ""
}

// tidy gives the request a clean path: some clients double slashes, because their base URL ends in one. What is
// percent-encoded stays as it is, since the key of an entry may have slashes.
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

func (a *api) log(ctx context.Context, req *request, rec *recorder, ms int64) {
	attrs := []slog.Attr{
		slog.String("request_id", req.id),
		slog.String("method", req.http.Method),
		slog.String("path", req.http.URL.Path),
		slog.Int("status", rec.status),
		slog.Int64("duration_ms", ms),
	}
	if req.environment != "" {
		attrs = append(attrs, slog.String("environment_id", string(req.environment)))
	}
	level := slog.LevelInfo
	if req.cause != nil {
		level = slog.LevelError
		if rec.status == http.StatusServiceUnavailable {
			level = slog.LevelWarn // it passes, or somebody has switched something off
		}
		attrs = append(attrs, slog.String("err", req.cause.Error()))
	}
	a.cfg.Logger.LogAttrs(ctx, level, "request served", attrs...)
}

// route finds the route of a request, checks its token where the route wants one, and lets huma serve it.
func (a *api) route(w http.ResponseWriter, r *http.Request, req *request) {
	fallback, pattern := a.mux.Handler(r)
	if pattern == "" {
		writeEnvelope(w, a.unrouted(fallback, r))
		return
	}
	req.route = pattern
	if who := a.access[pattern]; who != public {
		token, err := a.tokens.read(r.Context(), r.Header.Get("Authorization"))
		if err == nil {
			req.environment = token.EnvironmentID
			err = a.tokenLimit.take(string(token.ID))
		}
		if err == nil {
			err = who.allows(token)
		}
		if err != nil {
			writeEnvelope(w, req.refuse(err))
			return
		}
	}
	a.mux.ServeHTTP(w, r)
}

// unrouted returns the refusal of a request without a route: the path is unknown, or it has other methods.
func (a *api) unrouted(fallback http.Handler, r *http.Request) *envelope {
	probe := &recorder{ResponseWriter: discard{http.Header{}}}
	fallback.ServeHTTP(probe, r)
	if probe.status == http.StatusMethodNotAllowed {
		first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		return errMethod(r.Method, r.URL.Path, probe.Header().Get("Allow"), methodNotes(first))
	}
	e := newEnvelope(http.StatusNotFound, "there is no "+shorten(r.URL.Path))
	if near := millrace.Nearest(r.URL.Path, a.paths); near != "" {
		e.Text += fmt.Sprintf("; did you mean %s?", near)
		e.Details = &details{Failures: []millrace.Failure{{Message: "unknown path", Suggestion: near}}}
	}
	return e
}

func writeEnvelope(w http.ResponseWriter, e *envelope) {
	maps.Copy(w.Header(), e.header)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.StatusCode)
	_ = json.NewEncoder(w).Encode(e) // the client has gone, or there is nothing to be done
}

// recorder remembers the status of the answer.
type recorder struct {
	http.ResponseWriter
	status int
	read   *memory.Lease // of what was read for the answer; shrinks to what is written
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

// discard is an answer that nobody reads.
type discard struct{ header http.Header }

// Header returns the headers.
func (d discard) Header() http.Header { return d.header }

// Write drops what is written.
func (discard) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader drops the status; the recorder around it has it.
func (discard) WriteHeader(int) {}
