package rest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/memory"
)

func bodyRequest(body io.Reader, length int64) *Request {
	r := httptest.NewRequest(http.MethodPost, "/event", body)
	r.ContentLength = length
	return &Request{HTTP: r, Principal: Principal{Environment: "env"}, w: &recorder{ResponseWriter: httptest.NewRecorder()}}
}

func TestBodiesReserveMemoryAsTheyCome(t *testing.T) {
	t.Parallel()
	const limit = 4 << 20
	body := bytes.Repeat([]byte("x"), limit)
	for _, length := range []int64{limit, -1} {
		b := memory.New(100 << 20)
		r := bodyRequest(bytes.NewReader(body), length)
		got, err := r.readBody(b, limit)
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("length %d: got %d bytes, %v", length, len(got), err)
		}
		if used, _ := b.Used(); used < limit || used > 2*limit+1 {
			t.Errorf("length %d: %d bytes are reserved", length, used)
		}
		r.release()
		if used, _ := b.Used(); used != 0 {
			t.Errorf("length %d: %d bytes stay reserved", length, used)
		}
	}
	r := bodyRequest(bytes.NewReader(append(body, 'x')), limit+1)
	if _, err := r.readBody(nil, limit); millrace.KindOf(err) != millrace.KindTooLarge {
		t.Errorf("one byte too many: got %v", err)
	}
}

// One who announces a large body and sends none holds next to nothing.
func TestBodiesThatDoNotComeHoldLittle(t *testing.T) {
	t.Parallel()
	b := memory.New(100 << 20)
	hanging, sender := net.Pipe()
	t.Cleanup(func() { _ = sender.Close() })
	done := make(chan error, 1)
	r := bodyRequest(hanging, 4<<20)
	go func() {
		_, err := r.readBody(b, 4<<20)
		done <- err
	}()
	if _, err := sender.Write([]byte("some")); err != nil {
		t.Fatal(err)
	}
	if used, _ := b.Used(); used > 256<<10 {
		t.Errorf("%d bytes are reserved for a body of which four have come", used)
	}
	_ = sender.Close()
	if err := <-done; err == nil {
		t.Log("the pipe ended as a body does")
	}
	r.release()
}

func TestBodiesBeyondTheBudgetGet503(t *testing.T) {
	t.Parallel()
	b := memory.New(1 << 20)
	held, err := b.Acquire(t.Context(), "another", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	r := bodyRequest(strings.NewReader("{}"), 2)
	_, err = r.readBody(b, 4<<20)
	if millrace.KindOf(err) != millrace.KindUnavailable {
		t.Fatalf("got %v, want an error of KindUnavailable", err)
	}
	e := r.Reject(err)
	if e.StatusCode != http.StatusServiceUnavailable || e.header.Get("Retry-After") == "" {
		t.Errorf("got %d with the headers %v, want 503 with Retry-After", e.StatusCode, e.header)
	}
}

// A client that takes nothing is cut, and the handler ends.
func TestClientsThatTakeNothingAreCut(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		rec := &recorder{ResponseWriter: w}
		_, err := rec.Write(make([]byte, 64<<20)) // more than the buffers between the two take
		ended <- err
	}))
	t.Cleanup(s.Close)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	var timeout net.Error
	if err := <-ended; !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("got %v, want a timeout", err)
	}
}
