package millracetest_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/millracetest"
	"github.com/millrace/millrace/internal/store/storetest"
)

// link is a connection to a database that can stop to forward, be cut, and reject.
type link struct {
	t      *testing.T
	target string

	mu       sync.Mutex
	listener net.Listener
	conns    []net.Conn
	open     chan struct{} // closed while it forwards
	delay    time.Duration // of everything that is forwarded
	addr     string
}

func newLink(t *testing.T, database string) (*link, string) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	l := &link{t: t, target: u.Host, open: make(chan struct{}), addr: "127.0.0.1:0"}
	close(l.open)
	l.listen()
	t.Cleanup(func() { l.cut(true) })
	u.Host = l.addr
	return l, u.String()
}

// listen accepts connections, as before a cut.
func (l *link) listen() {
	l.t.Helper()
	listener, err := net.Listen("tcp", l.addr)
	if err != nil {
		l.t.Fatal(err)
	}
	l.mu.Lock()
	l.listener, l.addr = listener, listener.Addr().String()
	l.mu.Unlock()
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", l.target)
			if err != nil {
				_ = in.Close()
				continue
			}
			l.mu.Lock()
			l.conns = append(l.conns, in, out)
			l.mu.Unlock()
			go l.forward(in, out)
			go l.forward(out, in)
		}
	}()
}

func (l *link) forward(from, to net.Conn) {
	defer func() { _, _ = from.Close(), to.Close() }()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		l.mu.Lock()
		open, delay := l.open, l.delay
		l.mu.Unlock()
		<-open
		<-time.After(delay)
		if _, failed := to.Write(buf[:n]); err != nil || failed != nil {
			return
		}
	}
}

// hang stops to forward; what comes meanwhile is forwarded by resume.
func (l *link) hang() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = make(chan struct{})
}

// slow delays everything that is forwarded from now on.
func (l *link) slow(delay time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delay = delay
}

func (l *link) resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.open)
}

// cut resets all connections; a link that is closed rejects new ones.
func (l *link) cut(closed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if closed {
		_ = l.listener.Close()
	}
	for _, c := range l.conns {
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
	}
	l.conns = nil
}

// ask sends a request and returns its status, its body, and how long it took.
func ask(t *testing.T, s *millracetest.Server, method, path, body string) (*http.Response, string, time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.Base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.Token)
	began := time.Now()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, _ := io.ReadAll(res.Body)
	return res, string(raw), time.Since(began)
}

// unavailable checks that all kinds of requests get a 503 soon, although they are sent at once.
func unavailable(t *testing.T, s *millracetest.Server, what string, requests ...string) {
	t.Helper()
	var all sync.WaitGroup
	for _, r := range requests {
		all.Go(func() {
			method, path, _ := strings.Cut(r, " ")
			body := ""
			if method != http.MethodGet {
				body = `{"event":"custom:a","payload":{}}`
			}
			res, text, took := ask(t, s, method, path, body)
			// Two seconds are promised; a loaded machine, on which it is waited for longer before the database is given up, gets more.
			if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || took > 3500*time.Millisecond {
				t.Errorf("%s: %s: got %d, Retry-After %q after %s: %s", what, r, res.StatusCode, res.Header.Get("Retry-After"), took, text)
			}
			t.Logf("%s: %s: %d after %s: %s", what, r, res.StatusCode, took.Round(time.Millisecond), text)
		})
	}
	all.Wait()
}

// available checks that an event is accepted soon again.
func available(t *testing.T, s *millracetest.Server, what string) {
	t.Helper()
	began := time.Now()
	for {
		res, text, _ := ask(t, s, http.MethodPost, "/event", `{"event":"custom:a","payload":{}}`)
		ready, _, _ := ask(t, s, http.MethodGet, "/readyz", "")
		if res.StatusCode == http.StatusOK && ready.StatusCode == http.StatusOK {
			t.Logf("%s: available again after %s", what, time.Since(began).Round(time.Millisecond))
			return
		}
		if time.Since(began) > 30*time.Second {
			t.Fatalf("%s: still %d after %s: %s", what, res.StatusCode, time.Since(began), text)
		}
		<-time.After(50 * time.Millisecond)
	}
}

func TestPostgresThatIsDownOrHangs(t *testing.T) {
	t.Parallel()
	l, address := newLink(t, storetest.Postgres(t))
	s := millracetest.Start(t, address, nil)
	requests := []string{"POST /event", "GET /event", "GET /readyz", "POST /webhook/00000000-0000-4000-8000-000000000000/rotate-secret", "DELETE /workflow/00000000-0000-4000-8000-000000000000", "POST /integrated-account-webhook/00000000-0000-4000-8000-000000000000"}
	available(t, s, "before")

	l.hang()
	unavailable(t, s, "hangs", requests...)
	unavailable(t, s, "still hangs", requests...)
	if res, text, _ := ask(t, s, http.MethodGet, "/healthz", ""); res.StatusCode != http.StatusOK {
		t.Errorf("healthz: got %d %s", res.StatusCode, text)
	}
	l.resume()
	available(t, s, "resumed")

	l.cut(true)
	unavailable(t, s, "refuses connections", requests...)
	l.listen()
	available(t, s, "accepts connections")

	l.cut(false)
	available(t, s, "reset")
}

// TestPostgresThatIsSlow delays each response by 800 ms, which takes a request with its several statements far beyond the time
// after which a database is given up that does not respond.
func TestPostgresThatIsSlow(t *testing.T) {
	t.Parallel()
	l, address := newLink(t, storetest.Postgres(t))
	s := millracetest.Start(t, address, nil)
	available(t, s, "before")
	l.slow(400 * time.Millisecond)
	defer l.slow(0)
	res, text, took := ask(t, s, http.MethodPost, "/event", `{"event":"custom:a","payload":{}}`)
	if res.StatusCode != http.StatusOK {
		t.Errorf("got %d after %s: %s", res.StatusCode, took, text)
	}
	t.Logf("%d after %s", res.StatusCode, took.Round(time.Millisecond))
}

func TestSQLiteThatIsLocked(t *testing.T) {
	t.Parallel()
	path := storetest.SQLite(t)
	s := millracetest.Start(t, path, nil)
	available(t, s, "before")
	free := lockElsewhere(t, filepath.Join(filepath.Dir(path), "millrace.db"))
	unavailable(t, s, "locked", "POST /event", "DELETE /workflow/00000000-0000-4000-8000-000000000000")
	unavailable(t, s, "still locked", "POST /event", "DELETE /workflow/00000000-0000-4000-8000-000000000000")
	if res, text, _ := ask(t, s, http.MethodGet, "/event", ""); res.StatusCode != http.StatusOK {
		t.Errorf("reading while another process writes: got %d %s", res.StatusCode, text)
	}
	free()
	available(t, s, "free")
}

// lockElsewhere lets another process, which is this program again, hold the lock of a SQLite file until the function is called.
func lockElsewhere(t *testing.T, path string) (free func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHoldLock$")
	cmd.Env = append(os.Environ(), "MILLRACE_TEST_LOCK="+path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "locked\n" {
		t.Fatalf("the other process says %q, %v", line, err)
	}
	return sync.OnceFunc(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
}

// TestHoldLock is the other process of lockElsewhere.
func TestHoldLock(t *testing.T) {
	t.Parallel()
	path := os.Getenv("MILLRACE_TEST_LOCK")
	if path == "" {
		t.Skip("it is run by TestSQLiteThatIsLocked")
	}
	rollback := lockFile(t, path)
	defer rollback()
	fmt.Println("locked")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// lockFile holds the lock of a SQLite file in this process.
func lockFile(t *testing.T, path string) (rollback func()) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate&_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		_ = tx.Rollback()
		_ = db.Close()
	}
}

// TestSQLiteThatIsBusy holds the lock in the server's process for longer than one of another process is waited for, as the queue may
// on a busy machine.
func TestSQLiteThatIsBusy(t *testing.T) {
	t.Parallel()
	path := storetest.SQLite(t)
	s := millracetest.Start(t, path, nil)
	available(t, s, "before")
	rollback := lockFile(t, filepath.Join(filepath.Dir(path), "millrace.db"))
	time.AfterFunc(2500*time.Millisecond, rollback)
	res, text, took := ask(t, s, http.MethodPost, "/event", `{"event":"custom:a","payload":{}}`)
	if res.StatusCode != http.StatusOK {
		t.Errorf("got %d after %s: %s", res.StatusCode, took, text)
	}
	t.Logf("%d after %s", res.StatusCode, took.Round(time.Millisecond))
}
