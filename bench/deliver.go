package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"time"
)

// deliveries measures events on their way to one webhook, signed and in order: how fast a backlog goes out, against a bare loop
// that signs and posts the same bodies one after the other, and how long an event takes when there is no backlog.
func deliveries(ctx context.Context, o options, database string) error {
	n := o.count(10_000)
	counter, open := &sink{}, make(chan struct{})
	to := httptest.NewServer(counter)
	defer to.Close()
	gated := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-open // the first delivery waits here until the backlog is there
		counter.ServeHTTP(w, r)
	}))
	defer gated.Close()
	floor, err := postFloor(ctx, to.URL, n)
	if err != nil {
		return err
	}
	floorRate := rate("floor: signed POSTs, bare loop", database, n, floor, 0)
	a, err := newAPI(ctx, o, database, "deliveries")
	if err != nil {
		return err
	}
	defer func() { _ = a.server.Stop(ctx) }()
	var hook made
	if err := a.call(ctx, http.MethodPost, "/webhook", map[string]any{"target_url": gated.URL, "is_active": true}, &hook); err != nil {
		return err
	}
	began := time.Now()
	if err := drive(n, func(i int) error { return a.send(ctx, i) }); err != nil {
		return err
	}
	rate("events accepted over HTTP, 64 clients", database, n, time.Since(began), 0)
	counter.requests.Store(0)
	stop, err := profile("deliveries-" + database)
	if err != nil {
		return err
	}
	began = time.Now()
	close(open)
	if err := until(ctx, func() (bool, error) { return counter.requests.Load() >= int64(n), nil }); err != nil {
		return err
	}
	stop()
	rate("deliveries of one webhook, signed, in order", database, n, time.Since(began), floorRate)
	if counter.requests.Load() != int64(n) {
		return errors.New("more deliveries than events")
	}
	for _, perSecond := range []int{100, 500} {
		if err := firstAttempts(ctx, o, a, hook.ID, database, perSecond); err != nil {
			return err
		}
	}
	return nil
}

// send sends an event of one's own.
func (a *api) send(ctx context.Context, n int) error {
	return a.call(ctx, http.MethodPost, "/event", map[string]any{"event": "custom:bench", "payload": map[string]any{"n": n}}, nil)
}

// postFloor signs n bodies like those of deliveries, once in each scheme, and posts them one after the other.
func postFloor(ctx context.Context, to string, n int) (time.Duration, error) {
	client := &http.Client{}
	key := []byte("0123456789abcdef0123456789abcdef")
	began := time.Now()
	for i := range n {
		body, err := json.Marshal(map[string]any{
			"id": "6a9f8a55-96c1-4f9f-9d0a-1c1f7f9b8e10", "event": "custom:bench", "payload": map[string]any{"n": i}, "environment_id": env,
			"created_at": "2026-11-23T10:00:00.000Z", "webhook_id": "6a9f8a55-96c1-4f9f-9d0a-1c1f7f9b8e11",
		})
		if err != nil {
			return 0, err
		}
		at := strconv.FormatInt(time.Now().Unix(), 10)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
		if err != nil {
			return 0, err
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Webhook-Id", strconv.Itoa(i))
		req.Header.Set("Webhook-Timestamp", at)
		req.Header.Set("Webhook-Signature", "v1,"+sign(key, strconv.Itoa(i)+"."+at+".", body))
		req.Header.Set("X-Truto-Signature", "format=sha256,v="+sign(key, "", body))
		resp, err := client.Do(req)
		if err != nil {
			return 0, err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			return 0, fmt.Errorf("the sink responded %d: %w", resp.StatusCode, err)
		}
	}
	return time.Since(began), nil
}

func sign(key []byte, head string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	_, _ = io.WriteString(mac, head)
	_, _ = mac.Write(body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// arrivals notes when events arrive for the first time, by their number.
type arrivals struct {
	mu   sync.Mutex
	seen map[int]time.Time
}

// ServeHTTP implements http.Handler.
func (a *arrivals) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	now := time.Now()
	var d struct{ Payload struct{ N int } }
	if json.NewDecoder(r.Body).Decode(&d) != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, again := a.seen[d.Payload.N]; !again {
		a.seen[d.Payload.N] = now
	}
}

func (a *arrivals) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.seen)
}

// firstAttempts sends events at a steady rate, whatever becomes of those before, and measures from the instant at which each was
// to be sent: an event that had to wait to be sent waited all the same.
func firstAttempts(ctx context.Context, o options, a *api, hook, database string, perSecond int) error {
	seconds := 20
	if o.short {
		seconds = 2
	}
	n := perSecond * seconds
	got := &arrivals{seen: map[int]time.Time{}}
	to := httptest.NewServer(got)
	defer to.Close()
	if err := a.call(ctx, http.MethodPatch, "/webhook/"+hook, map[string]any{"target_url": to.URL}, nil); err != nil {
		return err
	}
	due := make([]time.Time, n)
	errs := make(chan error, n)
	began := time.Now()
	for i := range n {
		due[i] = began.Add(time.Duration(i) * time.Second / time.Duration(perSecond))
		if err := pause(ctx, time.Until(due[i])); err != nil {
			return err
		}
		go func() { errs <- a.send(ctx, i) }()
	}
	for range n {
		if err := <-errs; err != nil {
			return err
		}
	}
	if err := until(ctx, func() (bool, error) { return got.count() >= n, nil }); err != nil {
		return err
	}
	took := make([]time.Duration, n)
	for i := range n {
		took[i] = got.seen[i].Sub(due[i])
	}
	return percentiles(fmt.Sprintf("event to first attempt at %d events/s", perSecond), database, took)
}
