package millracetest

import (
	"bytes"
	"context"
	"maps"
	"math/rand/v2"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"
)

// PostgresProxy stands between a server and PostgreSQL. While it is switched on, it cuts connections at random, and some in the
// middle of a COMMIT: before it reaches PostgreSQL, or before the response reaches the server.
type PostgresProxy struct {
	URL    string
	target string
	mu     sync.Mutex
	random *rand.Rand
	open   map[net.Conn]bool
	on     bool
	cuts   map[string]int
}

// The places at which a PostgresProxy cuts.
const (
	cutAnywhere = "connections reset anywhere"
	cutBefore   = "connections reset before a COMMIT"
	cutAfter    = "connections reset after a COMMIT"
)

// oneCommitIn is how many commits there are for each that is cut.
const oneCommitIn = 10

// NewPostgresProxy starts a proxy for a database until the test ends.
func NewPostgresProxy(t testing.TB, database string, seed uint64) *PostgresProxy {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal("the database is not a URL")
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &PostgresProxy{target: u.Host, random: rand.New(rand.NewPCG(seed, 1)), open: map[net.Conn]bool{}, cuts: map[string]int{}}
	u.Host = l.Addr().String()
	p.URL = u.String()
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { p.serve(ctx, client) })
		}
	})
	all.Go(func() { p.cutAtRandom(ctx) })
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		p.mu.Lock()
		for c := range p.open {
			_ = c.Close()
		}
		p.mu.Unlock()
		all.Wait()
	})
	return p
}

// Cut says whether to cut connections.
func (p *PostgresProxy) Cut(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.on = on
}

// Cuts returns how often connections were cut, by the place.
func (p *PostgresProxy) Cuts() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.cuts)
}

func (p *PostgresProxy) serve(ctx context.Context, client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.target)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	p.mu.Lock()
	p.open[client] = true
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.open, client)
	}()
	var back sync.WaitGroup
	deaf := make(chan struct{}) // closed: what PostgreSQL sends does not reach the server any more
	back.Go(func() { copyUntil(deaf, client, server) })
	defer back.Wait()
	defer func() { _ = server.Close() }()
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		cut := p.atCommit(buffer[:n])
		if cut == cutBefore {
			reset(client)
			return
		}
		if cut == cutAfter {
			close(deaf)
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
		if cut == cutAfter {
			reset(client)
			_ = server.SetReadDeadline(time.Now().Add(time.Minute))
			back.Wait() // PostgreSQL carries it out
			return
		}
	}
}

// atCommit decides whether what the server sends is a COMMIT to be cut.
func (p *PostgresProxy) atCommit(sent []byte) string {
	if !bytes.HasPrefix(sent, []byte("Q\x00\x00\x00\x0bcommit\x00")) {
		return ""
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.on || p.random.IntN(oneCommitIn) > 0 {
		return ""
	}
	cut := []string{cutBefore, cutAfter}[p.random.IntN(2)]
	p.cuts[cut]++
	return cut
}

// cutAtRandom cuts a connection every 20 to 150 ms but for a second every two.
func (p *PostgresProxy) cutAtRandom(ctx context.Context) {
	for began := time.Now(); ; {
		p.mu.Lock()
		pause := time.Duration(20+p.random.IntN(130)) * time.Millisecond
		if p.on && !calm(began) {
			for c := range p.open { // a random one
				reset(c)
				p.cuts[cutAnywhere]++
				break
			}
		}
		p.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// copyUntil copies what PostgreSQL sends until deaf is closed; then it waits for one more response and drops it.
func copyUntil(deaf chan struct{}, client, server net.Conn) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := server.Read(buffer)
		select {
		case <-deaf:
			return
		default:
		}
		if n > 0 {
			if _, err := client.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			_ = client.Close()
			return
		}
	}
}

// reset closes a connection as a machine does that has died.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}
