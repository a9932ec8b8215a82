package millracetest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/admin"
	"github.com/millrace/millrace/internal/server"
	"github.com/millrace/millrace/internal/store/storetest"
)

// Binary returns the path of the program, which it builds once. Under the race detector it skips the test, saying so: the
// detector does not look into that program, and only makes everything around it slow.
func Binary(t testing.TB) string {
	t.Helper()
	if storetest.RaceDetector {
		t.Skip("SKIPPED under the race detector, which does not look into the process that this test is about")
	}
	path, err := program()
	if err != nil {
		t.Fatalf("build the program: %v", err)
	}
	return path
}

var built string //nolint:gochecknoglobals // directory of the program, made once for all tests of a process

var program = sync.OnceValues(func() (string, error) { //nolint:gochecknoglobals // as above
	dir, err := os.MkdirTemp("", "millrace-program")
	if err != nil {
		return "", err
	}
	built = dir
	path := filepath.Join(dir, "millrace")
	build := exec.CommandContext(context.Background(), "go", "build", "-ldflags=-w", "-o", path, "github.com/millrace/millrace/cmd/millrace")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

// RemoveBinary removes what [Binary] has built. It belongs at the end of TestMain.
func RemoveBinary() {
	if built != "" {
		_ = os.RemoveAll(built)
	}
}

// Node is a server in a process of its own, which can be killed and started again.
type Node struct {
	Base    string // where it serves
	Warm    bool   // it opens its connections to PostgreSQL before it needs them, as servers do; each start takes longer
	binary  string
	options server.Options
	log     *logged
	mu      sync.Mutex
	errors  map[string]int // lines of the log at level ERROR, without what differs
	cmd     *exec.Cmd
	done    chan error
	env     []string // for the process, besides this one's
}

// NewNode returns a node that is not started, with a data directory and an address of its own. The URL of the database is
// one of storetest.EachURL; nodes that share one need the same key.
func NewNode(t testing.TB, binary, url, key string) *Node {
	t.Helper()
	addr := freeAddress(t)
	n := &Node{Base: "http://" + addr, binary: binary, options: options(url, t.TempDir()), log: &logged{}, errors: map[string]int{}}
	n.options.EncryptionKey, n.options.Addr = key, addr
	t.Cleanup(func() {
		n.Kill()
		if t.Failed() {
			t.Logf("what was unusual in the log of %s:\n%s", n.Base, n.log.unusual(8_000))
		}
	})
	return n
}

// freeAddress returns an address that a node can serve on again after each kill. Its port is below those that the system
// gives away for port 0 and for connections out, one of which would have it by then.
func freeAddress(t testing.TB) string {
	t.Helper()
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000))
		if l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", addr); err == nil {
			_ = l.Close()
			return addr
		}
	}
	t.Fatal("no port is free")
	return ""
}

// Start starts the process. It does not wait until it serves.
func (n *Node) Start(t testing.TB) {
	t.Helper()
	args := []string{"serve", "--dev", "--addr", n.options.Addr, "--data-dir", n.options.DataDir}
	if n.options.Database != "" {
		args = append(args, "--database", n.database())
	}
	if n.options.EncryptionKey != "" {
		args = append(args, "--encryption-key", n.options.EncryptionKey)
	}
	// Without the test's context: how the process ends is the test's business.
	n.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), n.binary, args...)
	n.cmd.Dir = n.options.DataDir
	n.cmd.Env = append(append(os.Environ(), "GOTRACEBACK=all"), n.env...)
	stderr, err := n.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.cmd.Start(); err != nil {
		t.Fatalf("start the program: %v", err)
	}
	cmd, done := n.cmd, make(chan error, 1)
	n.done = done
	go func() {
		n.readLog(stderr)
		done <- cmd.Wait()
	}()
}

// database returns the address of PostgreSQL.
func (n *Node) database() string {
	if n.Warm {
		return n.options.Database
	}
	return fewConnections(n.options.Database) + "&pool_min_conns=0"
}

func (n *Node) readLog(r io.Reader) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		_, _ = n.log.Write([]byte(line + "\n"))
		if strings.Contains(line, "level=ERROR") {
			_, message, ok := strings.Cut(line, "err=")
			if !ok {
				_, message, _ = strings.Cut(line, "level=ERROR ")
			}
			n.mu.Lock()
			n.errors[message]++
			n.mu.Unlock()
		}
	}
	_, _ = io.Copy(io.Discard, r) // a line that is too long must not block the process
}

// Errors returns what the node has logged at level ERROR, and how often.
func (n *Node) Errors() map[string]int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.errors)
}

// Kill ends the process at once, if it runs.
func (n *Node) Kill() {
	if n.cmd == nil {
		return
	}
	_ = n.cmd.Process.Kill()
	if err := <-n.done; err == nil {
		n.log.add("the program had ended by itself, without an error")
	}
	n.cmd = nil
}

// Pause stops the process without ending it, as a machine does that is suspended. Resume lets it go on.
func (n *Node) Pause(t testing.TB) {
	t.Helper()
	n.signal(t, syscall.SIGSTOP)
}

// Resume lets a paused process go on.
func (n *Node) Resume(t testing.TB) {
	t.Helper()
	n.signal(t, syscall.SIGCONT)
}

func (n *Node) signal(t testing.TB, s os.Signal) {
	t.Helper()
	if err := n.cmd.Process.Signal(s); err != nil {
		t.Fatalf("%v the program: %v", s, err)
	}
}

// Ended reports whether the process has ended by itself.
func (n *Node) Ended() bool { return n.cmd != nil && len(n.done) > 0 }

// Stop asks the process to end and fails the test when it does not do so well and soon.
func (n *Node) Stop(t testing.TB) {
	t.Helper()
	began := time.Now()
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("stop the program: %v", err)
	}
	select {
	case err := <-n.done:
		if err != nil {
			t.Errorf("the program ended with %v", err)
		}
		n.cmd = nil
	case <-time.After(15 * time.Second):
		t.Errorf("the program did not end within 15 s of SIGTERM")
	}
	t.Logf("%s stopped %s after SIGTERM", n.Base, time.Since(began).Round(time.Millisecond))
}

// WaitReady waits until the node serves and returns how long that took.
func (n *Node) WaitReady(t testing.TB, within time.Duration) time.Duration {
	t.Helper()
	began := time.Now()
	Wait(t, within, func() (bool, any) {
		if n.Ended() {
			t.Fatalf("the program ended while it was starting")
		}
		return n.Ready(t.Context()), "not ready"
	})
	return time.Since(began)
}

// Ready asks the node whether it serves.
func (n *Node) Ready(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.Base+"/readyz", nil)
	if err != nil {
		return false
	}
	c := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// Token creates an API token for the first environment.
func (n *Node) Token(t testing.TB) string {
	t.Helper()
	token, err := admin.CreateToken(t.Context(), n.options.Storage(), admin.NewToken{Name: "test"})
	if err != nil {
		t.Fatalf("create token: %v", err)
	}
	return token
}

// PID returns the id of the process, 0 when it does not run.
func (n *Node) PID() int {
	if n.cmd == nil || n.cmd.Process == nil {
		return 0
	}
	return n.cmd.Process.Pid
}
