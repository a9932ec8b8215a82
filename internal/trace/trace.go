// Package trace carries the W3C trace context of a request through the work that follows from it.
//
// A request brings a traceparent or gets a new one. It is stored with the rows that the request leaves, events, inbound hooks and sync
// job runs, and with the tasks about them, so that it is found again by another worker, on another node, after a crash. Whatever
// is logged under a context that has one says its trace_id: it is the one thing that all of them have in common. There are no
// spans.
package trace

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"regexp"
)

// Header is the name of the header.
const Header = "Traceparent"

// parentFormat is version 00. The header of a later version may go on behind it.
var parentFormat = regexp.MustCompile(`^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$`)

const (
	maxHeader = 512
	noTrace   = "00000000000000000000000000000000"
	noParent  = "0000000000000000"
)

// Parse returns a traceparent as stored: as version 00, whatever the version of the header. It reports false for one that is
// malformed; callers may be hostile, and what is stored ends up in logs.
func Parse(header string) (string, bool) {
	if len(header) > maxHeader {
		return "", false
	}
	m := parentFormat.FindStringSubmatch(header)
	if m == nil || m[1] == "ff" || m[1] == "00" && m[5] != "" || m[2] == noTrace || m[3] == noParent {
		return "", false
	}
	return "00-" + m[2] + "-" + m[3] + "-" + m[4], true
}

// New returns a traceparent that is new.
func New() string {
	var id [24]byte
	_, _ = rand.Read(id[:]) // never fails
	return "00-" + hex.EncodeToString(id[:16]) + "-" + hex.EncodeToString(id[16:]) + "-00"
}

type key struct{}

// With returns a context of a trace; of none, ctx.
func With(ctx context.Context, traceparent string) context.Context {
	if traceparent == "" {
		return ctx
	}
	return context.WithValue(ctx, key{}, traceparent)
}

// From returns the traceparent of a context, or "".
func From(ctx context.Context) string {
	traceparent, _ := ctx.Value(key{}).(string)
	return traceparent
}

// ID returns the trace id of a traceparent, or "".
func ID(traceparent string) string {
	if len(traceparent) < 35 {
		return ""
	}
	return traceparent[3:35]
}

// Handler gives each request the trace that its header names, or a new one.
func Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		traceparent := New()
		if all := r.Header.Values(Header); len(all) == 1 {
			if sent, ok := Parse(all[0]); ok {
				traceparent = sent
			}
		}
		next.ServeHTTP(w, r.WithContext(With(r.Context(), traceparent)))
	})
}

// Logger returns a logger whose lines have the trace_id of their context.
func Logger(l *slog.Logger) *slog.Logger { return slog.New(handler{l.Handler()}) }

type handler struct{ slog.Handler }

// Handle implements slog.Handler.
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	if id := ID(From(ctx)); id != "" {
		r = r.Clone()
		r.AddAttrs(slog.String("trace_id", id))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h handler) WithGroup(name string) slog.Handler { return handler{h.Handler.WithGroup(name)} }
