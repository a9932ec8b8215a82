package millracetest

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/node"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/server"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// Server is a whole server in this process.
type Server struct {
	*Client
	URL     string // of the database
	options server.Options
	log     *logged
	db      *store.DB
}

// Start starts a server on an empty database, whose URL is one of [storetest.EachURL]. It is stopped with the test.
// change may set options; nil leaves them.
func Start(t testing.TB, url string, change func(*server.Options)) *Server {
	t.Helper()
	log := &logged{}
	opts := options(url, t.TempDir())
	if opts.Database != "" {
		opts.Database = fewConnections(opts.Database)
	}
	opts.Addr, opts.Dev, opts.Logger = "127.0.0.1:0", true, slog.New(slog.NewTextHandler(log, nil))
	token := ""
	opts.OnToken = func(s string) { token = s }
	if change != nil {
		change(&opts)
	}
	if !isPostgres(url) {
		storetest.Prepare(t, node.SQLitePath(opts.DataDir))
	}
	s, err := server.New(t.Context(), opts)
	if err != nil {
		t.Fatalf("new server: %v", err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatalf("start server: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Errorf("stop server: %v", err)
		}
		if t.Failed() {
			t.Logf("the server's log:\n%s", log)
		}
	})
	c := NewClient("http://"+s.Addr(), token)
	c.HTTP.Timeout = patience
	return &Server{Client: c, URL: url, options: opts, log: log}
}

// Flags are those of a command that works on the server's database.
func (s *Server) Flags() []string {
	flags := []string{"--data-dir", s.options.DataDir}
	if s.options.Database != "" {
		flags = append(flags, "--database", s.options.Database)
	}
	return flags
}

// options returns the options for a database. A SQLite file stands alone in its directory, which becomes the data
// directory.
func options(url, dataDir string) server.Options {
	if isPostgres(url) {
		return server.Options{DataDir: dataDir, Database: url}
	}
	return server.Options{DataDir: filepath.Dir(url)}
}

// fewConnections returns the address of a PostgreSQL with the fewest connections a server may have: each takes PostgreSQL 40 ms of a
// processor to open, and a test has little for them to do.
func fewConnections(url string) string {
	if strings.Contains(url, "?") {
		return url + "&pool_max_conns=8"
	}
	return url + "?pool_max_conns=8"
}

func isPostgres(url string) bool { return strings.HasPrefix(url, "postgres") }

// NewEnvironment adds an environment and returns a client of it.
func (s *Server) NewEnvironment(t testing.TB, name string) *Client {
	t.Helper()
	env := millrace.Environment{Name: name}
	text := secret.NewToken()
	err := s.Store(t).Update(t.Context(), func(tx *store.Tx) error {
		if err := tx.Environments().Create(t.Context(), &env); err != nil {
			return err
		}
		return tx.APITokens().Create(t.Context(), &millrace.APIToken{Name: "test", CreatedBy: "test", Hash: secret.HashToken(text), EnvironmentID: env.ID})
	})
	if err != nil {
		t.Fatalf("add environment: %v", err)
	}
	c := NewClient(s.Base, text)
	c.Environment, c.HTTP.Timeout = env.ID, patience
	return c
}

// Store is [OpenStore] for the server's database, opened once.
func (s *Server) Store(t testing.TB) *store.DB {
	t.Helper()
	if s.db == nil {
		s.db = OpenStore(t, s.URL)
	}
	return s.db
}

// OpenStore opens the database beside the server that works on it, to look at what the API does not show. It must not
// read credentials, since it does not have the key.
func OpenStore(t testing.TB, url string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{URL: url, Cipher: storetest.Cipher{}})
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// Settle waits until no row has work left, of these environments if there are any, or fails the test.
func Settle(t testing.TB, db *store.DB, within time.Duration, of ...millrace.EnvironmentID) time.Duration {
	t.Helper()
	began := time.Now()
	var left []millrace.Task
	Wait(t, within, func() (bool, any) {
		err := db.View(t.Context(), func(tx *store.Tx) error {
			var err error
			left, err = tx.Tasks().Open(t.Context())
			return err
		})
		left = slices.DeleteFunc(left, func(task millrace.Task) bool { return len(of) > 0 && !slices.Contains(of, task.Environment) })
		if err != nil {
			t.Fatalf("look for open work: %v", err)
		}
		return len(left) == 0, left
	})
	return time.Since(began)
}

// Wait polls until the condition holds, or fails the test with what was seen last. The longer it lasts the less it asks, because
// what is asked has more to do than to respond.
func Wait(t testing.TB, within time.Duration, ask func() (bool, any)) {
	t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	for began := time.Now(); ; {
		ok, seen := ask()
		if ok {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("waited %s in vain; seen last: %+v", within, seen)
		case <-time.After(min(10*time.Millisecond+time.Since(began)/10, 200*time.Millisecond)):
		}
	}
}

// Listen serves a handler until the test ends and returns its URL.
func Listen(t testing.TB, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// logged keeps the end of a log.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

const maxLog = 1 << 20

// Write implements io.Writer.
func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buf.Len() > maxLog {
		l.buf.Next(maxLog / 2)
	}
	return l.buf.Write(p)
}

// String returns what is kept.
func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logged) add(line string) { _, _ = l.Write([]byte(line + "\n")) }

// unusual returns the last bytes of what is kept, without what every day brings.
func (l *logged) unusual(most int) string {
	var lines []string
	for line := range strings.Lines(l.String()) {
		if !strings.Contains(line, "level=INFO") {
			lines = append(lines, line)
		}
	}
	text := strings.Join(lines, "")
	return text[max(0, len(text)-most):]
}
