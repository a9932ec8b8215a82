package storetest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/internal/queue"
	"github.com/millrace/millrace/internal/store"
)

// PostgresEnv names the environment variable with the address of a PostgreSQL server on which tests may create
// databases.
const PostgresEnv = "MILLRACE_TEST_POSTGRES"

// SQLite returns the path of a database file that does not exist yet.
func SQLite(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "millrace.db")
}

// Postgres creates a database with the tables of a server and nothing in them, and returns its address; it is dropped after the
// test.
func Postgres(t testing.TB) string {
	t.Helper()
	return newPostgres(t, true)
}

// EmptyPostgres is Postgres without the tables.
func EmptyPostgres(t testing.TB) string {
	t.Helper()
	return newPostgres(t, false)
}

// NeedPostgres returns the address of the server on which tests may create databases. Without one it skips the test, and fails it when
// CI=true.
func NeedPostgres(t testing.TB) string {
	t.Helper()
	base := os.Getenv(PostgresEnv)
	if base == "" {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not set: in CI the PostgreSQL half must run", PostgresEnv)
		}
		t.Skipf("SKIPPED: %s is not set, so nothing was tested on PostgreSQL; make test sets it", PostgresEnv)
	}
	return base
}

func newPostgres(t testing.TB, tables bool) string {
	t.Helper()
	base := NeedPostgres(t)
	create, name := "", fmt.Sprintf("millrace_test_%d_%x", os.Getpid(), rand.Uint64())
	if tables {
		var err error
		if create, err = template(); err != nil {
			t.Fatalf("create the database that others are copies of: %v", err)
		}
	}
	if err := administer(t.Context(), base, "CREATE DATABASE "+name+create); err != nil {
		t.Fatalf("create test database: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := administer(ctx, base, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Logf("drop test database %s: %v", name, err)
		}
	})
	u, err := named(base, name)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// named returns the address of another database of a server.
func named(base, name string) (string, error) {
	u, err := url.Parse(base)
	if err != nil {
		return "", errors.New(PostgresEnv + " is not a URL")
	}
	u.Path = "/" + name
	return u.String(), nil
}

// administrator is the connection of this process to the server on which databases are made: PostgreSQL needs as long for a new one as
// for half a database.
var administrator = struct { //nolint:gochecknoglobals // made once for all tests of a process
	sync.Mutex
	conn *pgx.Conn
}{}

func administer(ctx context.Context, base string, statements ...string) error {
	administrator.Lock()
	defer administrator.Unlock()
	if administrator.conn == nil || administrator.conn.IsClosed() {
		conn, err := pgx.Connect(ctx, base)
		if err != nil {
			return err
		}
		administrator.conn = conn
	}
	for _, statement := range statements {
		if _, err := administrator.conn.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// templateLock is the advisory lock under which the template is made: the tests of all packages share it.
const templateLock = 7_241_905_399

// template makes the database that those of tests are copies of, unless there is one for this schema, and returns the clause that
// copies it. It stays: making it takes as long as twenty copies.
var template = sync.OnceValues(func() (string, error) { //nolint:gochecknoglobals // made once for all tests of a process
	ctx, base, name := context.Background(), os.Getenv(PostgresEnv), "millrace_test_template_"+store.Schema()
	conn, err := pgx.Connect(ctx, base)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", templateLock); err != nil {
		return "", err
	}
	clause := " TEMPLATE " + name
	if version, err := strconv.Atoi(conn.PgConn().ParameterStatus("server_version")[:2]); err == nil && version >= 15 {
		clause += " STRATEGY file_copy" // half the time; before 15 there was no other
	}
	var there bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)", name).Scan(&there); err != nil || there {
		return clause, err
	}
	if err := administer(ctx, base, "DROP DATABASE IF EXISTS "+name+"_new", "CREATE DATABASE "+name+"_new"); err != nil {
		return "", err
	}
	address, err := named(base, name+"_new")
	if err == nil {
		err = migrate(ctx, address)
	}
	if err != nil {
		return "", err
	}
	_, err = conn.Exec(ctx, "ALTER DATABASE "+name+"_new RENAME TO "+name)
	return clause, err
})

// migrate makes the tables of a server in an empty database.
func migrate(ctx context.Context, address string) error {
	db, err := store.Open(ctx, store.Config{URL: address, Cipher: Cipher{}})
	if err != nil {
		return err
	}
	_, err = queue.New(ctx, queue.Config{DB: db, Logger: slog.New(slog.DiscardHandler)})
	return errors.Join(err, db.Close())
}

// Prepare puts a database with the tables of a server, and nothing in them, where SQLite shall have a new one. Making the tables
// takes seconds under the race detector. It does nothing for PostgreSQL, nor when the file is there.
func Prepare(t testing.TB, path string) {
	t.Helper()
	if strings.Contains(path, "://") {
		return
	}
	if _, err := os.Stat(path); err == nil {
		return
	}
	file, err := migrated()
	if err == nil {
		err = os.WriteFile(path, file, 0o600)
	}
	if err != nil {
		t.Fatalf("prepare store: %v", err)
	}
}

// migrated is the file of a database with the tables of a server.
var migrated = sync.OnceValues(func() ([]byte, error) { //nolint:gochecknoglobals // made once for all tests of a package
	dir, err := os.MkdirTemp("", "millrace-storetest")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "millrace.db")
	if err := migrate(context.Background(), path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})
