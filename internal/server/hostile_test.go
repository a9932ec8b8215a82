package server

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/deliver"
	"github.com/millrace/millrace/internal/egress"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/fetch/config"
)

// peer speaks whatever a case wants on a real connection, and counts the bytes that got rid of.
type peer struct {
	url  string
	sent atomic.Int64
}

func newPeer(t *testing.T, speak func(write func(string) bool)) *peer {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	p := &peer{url: "http://" + l.Addr().String()}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
					return
				}
				speak(func(s string) bool {
					n, err := c.Write([]byte(s))
					p.sent.Add(int64(n))
					return err == nil
				})
			}()
		}
	}()
	return p
}

func forever(head, piece string) func(func(string) bool) {
	return func(write func(string) bool) {
		for ok := write(head); ok; {
			ok = write(piece)
		}
	}
}

func once(text string) func(func(string) bool) { return func(write func(string) bool) { write(text) } }

// Whatever a receiver or a provider speaks, an attempt ends with the right class and takes in a bounded number of bytes. What
// the peer gets rid of beyond that is in the buffers of the two sockets.
func TestHostilePeers(t *testing.T) {
	t.Parallel()
	const buffers = 16 << 20
	filler := strings.Repeat("x", 64<<10)
	slowly := func(head, piece string) func(func(string) bool) {
		return func(write func(string) bool) {
			for ok := write(head); ok; ok = write(piece) {
				time.Sleep(5 * time.Millisecond)
			}
		}
	}
	for name, c := range map[string]struct {
		speak            func(func(string) bool)
		deliver, fetched string // error classes; empty: none
	}{
		"HTTP/0.9":              {once("<html>hello</html>"), "protocol", "protocol"},
		"a status of no number": {once("HTTP/1.1 2OO OK\r\n\r\n"), "protocol", "protocol"},
		"a flood of 1xx":        {forever("", "HTTP/1.1 103 Early Hints\r\nLink: <"+filler[:512]+">\r\n\r\n"), "protocol", "protocol"},
		"an endless header":     {forever("HTTP/1.1 200 OK\r\nX-A: ", filler), "protocol", "protocol"},
		"many headers":          {forever("HTTP/1.1 200 OK\r\n", "X-A: b\r\n"), "protocol", "protocol"},
		"an endless body":       {forever("HTTP/1.1 200 OK\r\n\r\n", filler), "", "too_large"},
		"endless chunks":        {forever("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"), "", "too_large"},
		"chunks of garbage":     {once("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nx"), "", "protocol"},
		"a length that lies":    {once("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nshort"), "", "reset"},
		"two lengths":           {once("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nab"), "protocol", "protocol"},
		"a header that drips":   {slowly("HTTP/1.1 200 OK\r\n", "X-A: b\r\n"), "timeout", "timeout"},
		"a body that drips":     {slowly("HTTP/1.1 200 OK\r\n\r\n", "x"), "", "timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			timeout := 20 * time.Second
			if c.fetched == "timeout" {
				timeout = 500 * time.Millisecond
			}
			client := &http.Client{Transport: egress.NewTransport(egress.TransportConfig{AllowLoopback: true})}
			p := newPeer(t, c.speak)
			sender, err := deliver.New(deliver.Config{Client: client, Clock: time.Now, Timeout: timeout})
			if err != nil {
				t.Fatal(err)
			}
			o := sender.Send(t.Context(), deliver.Message{
				ID: millrace.NewID[millrace.DeliveryID](), Webhook: &millrace.Webhook{TargetURL: p.url, Secret: "s"}, Body: []byte("{}"), Event: "test", Attempt: 1,
			})
			if o.ErrorClass != c.deliver || (o.Kind == deliver.Delivered) != (c.deliver == "") {
				t.Errorf("delivery: got %s %q, want class %q", o.Kind, o.ErrorClass, c.deliver)
			}
			if got := p.sent.Load(); got > buffers {
				t.Errorf("delivery: the receiver got rid of %d bytes", got)
			}
			p = newPeer(t, c.speak)
			if got := fetchFrom(t.Context(), t, client, p.url, timeout); got != c.fetched {
				t.Errorf("fetch: got class %q, want %q", got, c.fetched)
			}
			if got := p.sent.Load(); got > buffers {
				t.Errorf("fetch: the provider sent %d bytes", got)
			}
		})
	}
}

func fetchFrom(ctx context.Context, t *testing.T, client *http.Client, url string, timeout time.Duration) string {
	t.Helper()
	parsed, err := config.Parse(json.RawMessage(fmt.Sprintf(`{"base_url":%q,"resources":{"things":{"list":{"path":"/"}}}}`, url)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := fetch.New(fetch.FetcherConfig{Client: client, Timeout: timeout, MaxResponse: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	o, err := f.Fetch(ctx, fetch.Request{Integration: parsed, Resource: "things", Method: "list"})
	if err != nil {
		t.Fatal(err)
	}
	return o.ErrorClass
}
