package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/node"
	"github.com/millrace/millrace/internal/retention"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/server"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// home is a data directory with a database that a server has been started on once.
type home struct {
	t    *testing.T
	opts server.Options
}

// eachHome runs a test on both databases.
func eachHome(t *testing.T, fn func(t *testing.T, h *home)) {
	t.Helper()
	t.Parallel()
	for name, url := range map[string]func(testing.TB) string{"sqlite": func(testing.TB) string { return "" }, "postgres": storetest.Postgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &home{t: t, opts: server.Options{DataDir: t.TempDir(), Database: url(t), Logger: slog.New(slog.DiscardHandler), Addr: "127.0.0.1:0"}}
			if err := h.serve(nil); err != nil {
				t.Fatal(err)
			}
			fn(t, h)
		})
	}
}

// serve starts a server and stops it again.
func (h *home) serve(change func(*server.Options)) error {
	opts := h.opts
	if change != nil {
		change(&opts)
	}
	s, err := server.New(h.t.Context(), opts)
	if err != nil {
		return err
	}
	return errors.Join(s.Start(h.t.Context()), s.Stop(h.t.Context()))
}

// fails checks that an error says some words.
func fails(t *testing.T, what string, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s: got %q, want it to say %q", what, err, w)
		}
	}
}

func (h *home) create(name string) *millrace.Environment {
	h.t.Helper()
	env, err := CreateEnvironment(h.t.Context(), h.opts.Storage(), name, 100)
	if err != nil {
		h.t.Fatal(err)
	}
	return env
}

func TestNamesOfEnvironmentsStandForOne(t *testing.T) {
	eachHome(t, func(t *testing.T, h *home) {
		ctx := t.Context()
		env := h.create("Acme Corp")
		for _, name := range []string{"Acme Corp", "acme corp", " ACME  corp "} {
			_, err := CreateEnvironment(ctx, h.opts.Storage(), name, 100)
			fails(t, name, err, `there is an environment "Acme Corp" (`+string(env.ID)+") already")
		}
		_, err := CreateEnvironment(ctx, h.opts.Storage(), "default", 100)
		fails(t, "default", err, `"Default"`, "already")
		if err != nil && strings.Contains(strings.ToLower(err.Error()), "constraint") {
			t.Errorf("the message is the database's: %v", err)
		}
		for _, name := range []string{"", "  ", string(env.ID), "a\x00b", "a\nb", "Acme\u200b Corp", "Acme\u202eCorp", "Acme\u00a0Corp", strings.Repeat("x", 201)} {
			_, err := CreateEnvironment(ctx, h.opts.Storage(), name, 100)
			fails(t, name, err, "name")
			_, err = RenameEnvironment(ctx, h.opts.Storage(), "Acme Corp", name)
			fails(t, name, err, "name")
		}
		_, err = RenameEnvironment(ctx, h.opts.Storage(), "acme corp", "DEFAULT")
		fails(t, "rename to a name that is taken", err, "already")
		if _, err := RenameEnvironment(ctx, h.opts.Storage(), string(env.ID), "Globex"); err != nil {
			t.Errorf("rename by id: %v", err)
		}
		_, err = CreateToken(ctx, h.opts.Storage(), NewToken{Environment: "Acme Corp"})
		fails(t, "a token by the old name", err, "not found")
		for _, which := range []string{"globex", strings.ToUpper(string(env.ID)), ""} {
			if _, err := CreateToken(ctx, h.opts.Storage(), NewToken{Environment: which}); err != nil {
				t.Errorf("a token of %q: %v", which, err)
			}
		}
		list, err := Environments(ctx, h.opts.Storage())
		if err != nil || len(list) != 2 || list[1].Name != "Globex" {
			t.Errorf("got %+v, %v", list, err)
		}
		if _, err := RenameEnvironment(ctx, h.opts.Storage(), "globex", " GLOBEX"); err != nil {
			t.Errorf("another case of its own name: %v", err)
		}
		for _, weight := range []int64{0, -1, 1001} {
			_, err := WeighEnvironment(ctx, h.opts.Storage(), "globex", weight)
			fails(t, "a weight", err, "weight", "1 to 1000")
			_, err = CreateEnvironment(ctx, h.opts.Storage(), "Other", weight)
			fails(t, "a weight", err, "weight", "1 to 1000")
		}
		if v, err := WeighEnvironment(ctx, h.opts.Storage(), "globex", 300); err != nil || v.Weight != 300 {
			t.Errorf("got %+v, %v", v, err)
		}
		if _, err := DeleteEnvironment(ctx, h.opts.Storage(), "Default", false); err != nil {
			t.Fatal(err)
		}
		_, err = CreateToken(ctx, h.opts.Storage(), NewToken{})
		fails(t, "a token of the first environment, which is gone", err, "--environment")
		tokens, err := Tokens(ctx, h.opts.Storage())
		if err != nil || len(tokens) != 2 || tokens[0].EnvironmentID != env.ID {
			t.Errorf("got the tokens %+v, %v", tokens, err)
		}
	})
}

// furnish gives an environment more rows of some kinds than one transaction removes.
func (h *home) furnish(env millrace.EnvironmentID) {
	h.t.Helper()
	ctx := h.t.Context()
	err := withStore(ctx, h.opts.Storage(), func(_ context.Context, tx *store.Tx) error {
		w := &millrace.Webhook{EnvironmentID: env, TargetURL: "https://a.test", IsActive: true}
		run := &millrace.SyncJobRun{EnvironmentID: env, Status: millrace.RunRunning}
		flow := &millrace.Workflow{EnvironmentID: env, Event: "custom:x"}
		if err := errors.Join(tx.Webhooks().Create(ctx, w), tx.SyncJobRuns().Create(ctx, run), tx.Workflows().Create(ctx, flow),
			tx.Checkpoints().Add(ctx, env, run.ID, map[int64][]byte{1: []byte("part")}),
			tx.Schedules().Create(ctx, &millrace.SyncJobCronTrigger{EnvironmentID: env, NextRunAt: 1}),
			tx.Accounts().Create(ctx, &millrace.IntegratedAccount{EnvironmentID: env, TenantID: "acme"})); err != nil {
			return err
		}
		for i := range 3*retention.PrunedAtOnce + 7 {
			e := &millrace.Event{EnvironmentID: env, Name: "custom:x", IdempotencyKey: fmt.Sprint(i)}
			if _, err := tx.Events().Create(ctx, e); err != nil {
				return err
			}
			d := &millrace.Delivery{ID: millrace.EventDeliveryID(e, w), EnvironmentID: env, WebhookID: w.ID, EventID: e.ID, Status: millrace.DeliveryPending}
			decision := &millrace.Decision{EventID: e.ID, EnvironmentID: env, WorkflowID: flow.ID, Outcome: millrace.OutcomeMatched}
			if err := tx.Deliveries().Create(ctx, d); err != nil {
				return err
			}
			if _, err := tx.Decisions().Create(ctx, decision); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// left returns the rows of an environment in all tables of the schema that have any.
func (h *home) left(env millrace.EnvironmentID) map[string]string {
	h.t.Helper()
	db, err := node.OpenExisting(h.t.Context(), h.opts.Storage())
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	tables := "SELECT m.name FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c WHERE m.type = 'table' AND c.name = 'environment_id'"
	if db.Postgres() != nil {
		tables = "SELECT table_name::text FROM information_schema.columns WHERE column_name = 'environment_id' AND table_schema = 'public'"
	}
	out := map[string]string{}
	for _, table := range storetest.Strings(h.t, db, tables) {
		n := storetest.Strings(h.t, db, "SELECT CAST(COUNT(*) AS TEXT) FROM "+table+" WHERE environment_id = '"+string(env)+"'")
		if len(n) > 0 && n[0] != "0" {
			out[table] = n[0]
		}
	}
	return out
}

// TestDeletedEnvironmentLeavesNothing ends the deletion after some transactions again and again, as a kill does.
func TestDeletedEnvironmentLeavesNothing(t *testing.T) {
	eachHome(t, func(t *testing.T, h *home) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 1))
		gone, kept := h.create("Gone"), h.create("Kept")
		h.furnish(gone.ID)
		h.furnish(kept.ID)
		before := fmt.Sprint(h.left(kept.ID))
		_, err := DeleteEnvironment(t.Context(), h.opts.Storage(), "Gone", false)
		fails(t, "an environment with rows", err, "webhooks: 1", "events: 1507", "--force")
		if _, err := CreateToken(t.Context(), h.opts.Storage(), NewToken{Environment: "gone"}); err != nil {
			t.Fatalf("a deletion that was rejected has changed something: %v", err)
		}
		tries, began := 0, time.Now()
		if _, err := Tokens(t.Context(), h.opts.Storage()); err != nil {
			t.Fatal(err)
		}
		opening := time.Since(began) // which takes long on a busy machine
		for done := false; !done; tries++ {
			ctx, cancel := context.WithTimeout(t.Context(), opening*3/4+time.Duration(random.IntN(40)+1+4*tries)*time.Millisecond)
			if tries > 200 {
				ctx = t.Context()
			}
			_, err := DeleteEnvironment(ctx, h.opts.Storage(), string(gone.ID), true)
			cancel()
			done = err == nil
		}
		t.Logf("%d tries", tries)
		if left := h.left(gone.ID); len(left) > 0 {
			t.Errorf("rows are left: %v", left)
		}
		if after := fmt.Sprint(h.left(kept.ID)); after != before {
			t.Errorf("the other environment has %s, before %s", after, before)
		}
		if _, err := CreateEnvironment(t.Context(), h.opts.Storage(), "gone", 100); err != nil {
			t.Errorf("the name is not free: %v", err)
		}
		h.sweep(gone.ID)
	})
}

// TestDeletionOfAnEnvironmentEndsAnywhere ends the process that deletes after each of its transactions: what is left has no name and
// gets no token, a server knows that it has work with it, and goes on.
func TestDeletionOfAnEnvironmentEndsAnywhere(t *testing.T) {
	eachHome(t, func(t *testing.T, h *home) {
		ctx := t.Context()
		gone := h.create("Gone")
		h.furnish(gone.ID)
		if _, err := CreateToken(ctx, h.opts.Storage(), NewToken{Environment: "Gone"}); err != nil {
			t.Fatal(err)
		}
		err := withStore(ctx, h.opts.Storage(), func(_ context.Context, tx *store.Tx) error { return tx.Environments().StartErasure(ctx, gone) })
		if err != nil {
			t.Fatal(err)
		}
		h.create("gone") // the name is free at once
		steps := 0
		for removed := int64(1); removed > 0; steps++ {
			h.isDead(gone)
			db, err := node.OpenExisting(ctx, h.opts.Storage()) // as the next process does
			if err != nil {
				t.Fatal(err)
			}
			done, err := retention.EraseSome(ctx, db, gone)
			if err := errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
			removed = done.Removed
		}
		t.Logf("ended after each of %d transactions", steps)
		if steps < 10 {
			t.Error("these are few transactions")
		}
		h.sweep(gone.ID)
	})
}

// isDead checks that no command takes an environment that is being deleted for one, and that a server would go on.
func (h *home) isDead(gone *millrace.Environment) {
	h.t.Helper()
	ctx := h.t.Context()
	list, err := Environments(ctx, h.opts.Storage())
	if err != nil || slices.ContainsFunc(list, func(e millrace.Environment) bool { return e.ID == gone.ID }) {
		h.t.Errorf("it is listed: %+v, %v", list, err)
	}
	_, err = CreateToken(ctx, h.opts.Storage(), NewToken{Environment: string(gone.ID)})
	fails(h.t, "a token of it", err, "not found")
	_, err = RenameEnvironment(ctx, h.opts.Storage(), string(gone.ID), "Other")
	fails(h.t, "renaming it", err, "not found")
	tokens, err := Tokens(ctx, h.opts.Storage())
	if err != nil || slices.ContainsFunc(tokens, func(t millrace.APIToken) bool { return t.EnvironmentID == gone.ID }) {
		h.t.Errorf("it has tokens: %+v, %v", tokens, err)
	}
	err = withStore(ctx, h.opts.Storage(), func(_ context.Context, tx *store.Tx) error {
		work, err := tx.Tasks().Open(ctx)
		if !slices.Contains(work, millrace.EraseEnvironmentTask(gone.ID)) {
			h.t.Errorf("no server would go on: %+v", work)
		}
		return err
	})
	if err != nil {
		h.t.Error(err)
	}
}

// sweep checks that a server removes what was still written, and then the entry.
func (h *home) sweep(gone millrace.EnvironmentID) {
	h.t.Helper()
	late := time.Now().Add(2 * store.EnvironmentSweep)
	opts := h.opts
	opts.Clock = func() time.Time { return late }
	err := withStore(h.t.Context(), opts.Storage(), func(_ context.Context, tx *store.Tx) error {
		_, err := tx.Events().Create(h.t.Context(), &millrace.Event{EnvironmentID: gone, Name: "custom:late"})
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	db, err := node.OpenExisting(h.t.Context(), opts.Storage())
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	e := retention.NewEraser(db, opts.Clock, opts.Logger)
	task := millrace.EraseEnvironmentTask(gone)
	if err := e.Erase(h.t.Context(), task); err != nil {
		h.t.Errorf("the server's task: %v", err)
	}
	if left := h.left(gone); len(left) > 0 {
		h.t.Errorf("rows are left: %v", left)
	}
	if names := storetest.Strings(h.t, db, "SELECT id FROM environment WHERE id = '"+string(gone)+"'"); len(names) > 0 {
		h.t.Error("the entry is still there")
	}
}

func TestAnotherKeyIsRejected(t *testing.T) {
	eachHome(t, func(t *testing.T, h *home) {
		key := secret.KeyFile(h.opts.DataDir)
		text, err := os.ReadFile(key)
		if err != nil {
			t.Fatal(err)
		}
		other := strings.Repeat("QUFB", 10) + "QUE="
		each := func(what string, change func(*server.Options), words ...string) {
			t.Helper()
			fails(t, what, h.serve(change), words...)
			opts := h.opts
			if change != nil {
				change(&opts)
			}
			_, err := CreateToken(t.Context(), opts.Storage(), NewToken{})
			fails(t, what+", token create", err, words...)
		}
		each("another key", func(o *server.Options) { o.EncryptionKey = other }, "another encryption key", "--encryption-key")
		if h.opts.Database != "" {
			node := t.TempDir()
			each("a second node without the key", func(o *server.Options) { o.DataDir = node }, "does not exist", secret.KeyFile(node))
			if _, err := os.Stat(secret.KeyFile(node)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the second node made a key: %v", err)
			}
		}
		if err := os.Chmod(key, 0o644); err != nil {
			t.Fatal(err)
		}
		each("a key that others may read", nil, "chmod 600 "+key)
		if err := os.Remove(key); err != nil {
			t.Fatal(err)
		}
		each("a lost key", nil, "does not exist", key, "MILLRACE_ENCRYPTION_KEY")
		if _, err := os.Stat(key); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a new key was made: %v", err)
		}
		if err := os.WriteFile(key, []byte(other), 0o600); err != nil {
			t.Fatal(err)
		}
		each("a new key file", nil, "another encryption key", key)
		if err := os.WriteFile(key, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := h.serve(nil); err != nil {
			t.Errorf("with the key of before: %v", err)
		}
		if err := h.serve(func(o *server.Options) { o.EncryptionKey = string(text) }); err != nil {
			t.Errorf("with the key of before on the command line: %v", err)
		}
	})
}

// A database of a version that kept no check value is checked by what is sealed in it.
func TestOldDatabaseChecksItsKey(t *testing.T) {
	eachHome(t, func(t *testing.T, h *home) {
		err := withStore(t.Context(), h.opts.Storage(), func(_ context.Context, tx *store.Tx) error {
			return tx.Webhooks().Create(t.Context(), &millrace.Webhook{EnvironmentID: millrace.FirstEnvironmentID(), TargetURL: "https://a.test", Secret: "secret"})
		})
		if err != nil {
			t.Fatal(err)
		}
		db, err := node.OpenExisting(t.Context(), h.opts.Storage())
		if err != nil {
			t.Fatal(err)
		}
		storetest.Strings(t, db, "DELETE FROM key_check RETURNING 'gone'")
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		fails(t, "another key", h.serve(func(o *server.Options) { o.EncryptionKey = strings.Repeat("QUFB", 10) + "QUE=" }), "another encryption key")
		if err := h.serve(nil); err != nil {
			t.Errorf("its key: %v", err)
		}
	})
}

func TestCommandsMakeNoDatabase(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "nothing")
	opts := server.Options{DataDir: dir, Logger: slog.New(slog.DiscardHandler)}
	_, err := CreateToken(t.Context(), opts.Storage(), NewToken{})
	fails(t, "no directory", err, node.SQLitePath(dir), "start the server first", "--data-dir")
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory was made: %v", err)
	}
	opts.Database = storetest.EmptyPostgres(t)
	_, err = CreateToken(t.Context(), opts.Storage(), NewToken{})
	fails(t, "an empty database", err, "no tables", "start the server first")
}

func TestDatabaseIsLockedWhateverItsName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	opts := server.Options{DataDir: dir, Addr: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)}
	s, err := server.New(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Stop(context.Background()) }()
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"millrace.db", "millrace.db-wal", "millrace.db-shm"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: got %v, %v, want 0600", name, info, err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "lock")); err != nil {
		t.Fatal(err)
	}
	linked, hard := t.TempDir(), t.TempDir()
	if err := errors.Join(os.Symlink(node.SQLitePath(dir), node.SQLitePath(linked)), os.Link(node.SQLitePath(dir), node.SQLitePath(hard))); err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{dir, linked, hard} {
		second := opts
		second.DataDir = other
		_, err := server.New(t.Context(), second)
		fails(t, "a second server", err, "another millrace serves")
	}
	if _, err := CreateToken(t.Context(), opts.Storage(), NewToken{}); err != nil {
		t.Errorf("a token while the server runs: %v", err)
	}
	blocked := opts
	blocked.DataDir = t.TempDir()
	if err := os.Mkdir(filepath.Join(blocked.DataDir, "lock"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err = server.New(t.Context(), blocked)
	fails(t, "a lock that cannot be taken", err, "is a directory")
	if err != nil && strings.Contains(err.Error(), "another millrace") {
		t.Errorf("it speaks of another server: %v", err)
	}
}

func TestFirstTokenComesOnceTheServerListens(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	dir := t.TempDir()
	h := &home{t: t, opts: server.Options{DataDir: dir, Logger: slog.New(slog.DiscardHandler), Addr: l.Addr().String()}}
	file, tokens := filepath.Join(t.TempDir(), "token"), 0
	fails(t, "a port that is taken", h.serve(func(o *server.Options) { o.OnToken = func(string) { tokens++ } }), "listen")
	fails(t, "a port that is taken", h.serve(func(o *server.Options) { o.TokenFile = file }), "listen")
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) || tokens > 0 {
		t.Errorf("a token was made before the port was bound: %v, %d", err, tokens)
	}
	h.opts.Addr = "127.0.0.1:0"
	if err := h.serve(func(o *server.Options) { o.TokenFile = file }); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	info, statErr := os.Stat(file)
	if err != nil || statErr != nil || !strings.HasPrefix(string(text), "mr_") || info.Mode().Perm() != 0o600 {
		t.Errorf("the token file has %q, %v, %v", text, err, statErr)
	}
	if err := h.serve(func(o *server.Options) { o.OnToken = func(string) { tokens++ } }); err != nil || tokens > 0 {
		t.Errorf("the second start made a token: %v", err)
	}
}
