package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// The peers of a server under trial: addresses, key and secret that the README names.
const (
	PeerAPI    = "127.0.0.1:9001"
	PeerHook   = "127.0.0.1:9000"
	PeerSecret = "playground"
)

// Peers runs the two other sides of a server until ctx ends: the API of a provider, and a webhook receiver that verifies
// and prints what arrives.
func Peers(ctx context.Context, out io.Writer) error {
	r := &receiver{seen: map[string]bool{}, secret: PeerSecret}
	hook := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		before := r.snapshot()
		r.ServeHTTP(w, req)
		after := r.snapshot()
		verdict := "signatures valid"
		if len(after.problems) > len(before.problems) {
			verdict = after.problems[len(after.problems)-1]
		}
		event := "again, same id"
		if len(after.events) > len(before.events) {
			event = after.events[len(after.events)-1]
		}
		_, _ = fmt.Fprintf(out, "%s  %-34s %3d records  %s\n", req.Header.Get("webhook-id"), event, len(after.ids)-len(before.ids), verdict)
	})
	sides := map[string]http.Handler{PeerAPI: &calcom{apiKey, bookings(defaultBookings)}, PeerHook: hook}
	for addr, handler := range sides {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
		if err != nil {
			return fmt.Errorf("listen on %s: %w", addr, err)
		}
		s := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
		go func() {
			if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				_, _ = fmt.Fprintln(out, err)
			}
		}()
		defer func() { _ = s.Close() }()
	}
	_, _ = fmt.Fprintf(out, "provider on http://%s with the key %s; webhook receiver on http://%s with the secret %s. Stop with Ctrl-C.\n",
		PeerAPI, apiKey, PeerHook, PeerSecret)
	<-ctx.Done()
	return nil
}
