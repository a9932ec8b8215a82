package node

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// TestMain is also the process that seals again and is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("RESEAL_DIR"); dir != "" {
		os.Exit(resealer(dir, os.Getenv("RESEAL_URL"), os.Getenv("RESEAL_KEYS")))
	}
	os.Exit(m.Run())
}

func resealer(dir, url, keys string) int {
	s, err := Open(context.Background(), Options{DataDir: dir, Database: url, EncryptionKey: keys, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	fmt.Println("open")
	for n := 1; n > 0; {
		if n, err = s.resealAll(context.Background(), slog.New(slog.DiscardHandler)); err != nil {
			fmt.Println("error", err)
			return 1
		}
	}
	fmt.Println("done")
	_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed
	return 0
}

// testKey returns a key, which is the same for the same letter.
func testKey(letter string) string {
	return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte(letter), 32))
}

// keyHome is a database with keys.
type keyHome struct {
	t        *testing.T
	dir, url string
	rows     int
}

func eachKeyHome(t *testing.T, fn func(t *testing.T, h *keyHome)) {
	t.Helper()
	t.Parallel()
	for name, url := range map[string]func(testing.TB) string{"sqlite": func(testing.TB) string { return "" }, "postgres": storetest.EmptyPostgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fn(t, &keyHome{t: t, dir: t.TempDir(), url: url(t)})
		})
	}
}

func (h *keyHome) options(keys ...string) Options {
	return Options{DataDir: h.dir, Database: h.url, EncryptionKey: strings.Join(keys, "\n"), Logger: slog.New(slog.DiscardHandler)}
}

// with opens the database as a server does, runs fn and closes it again.
func (h *keyHome) with(fn func(s *Storage) error, keys ...string) error {
	h.t.Helper()
	s, err := Open(h.t.Context(), h.options(keys...))
	if err != nil {
		return err
	}
	err = fn(s)
	if s.Place != nil {
		err = errors.Join(err, s.DB.LeaveNode(h.t.Context(), s.Place.ID))
	}
	err = errors.Join(err, s.DB.Close())
	s.Lock.Release()
	s.Place.Release()
	return err
}

func (h *keyHome) do(fn func(s *Storage) error, keys ...string) {
	h.t.Helper()
	if err := h.with(fn, keys...); err != nil {
		h.t.Fatal(err)
	}
}

// fill stores a value in every sealed column of some rows.
func (h *keyHome) fill(s *Storage, n int) error {
	ctx, env := h.t.Context(), millrace.FirstEnvironmentID()
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		for range n {
			h.rows++
			doc := json.RawMessage(fmt.Sprintf(`{"n":%d}`, h.rows))
			integration := &millrace.Integration{EnvironmentID: env, Name: fmt.Sprint("i", h.rows), Config: doc}
			if err := tx.Integrations().Create(ctx, integration); err != nil {
				return err
			}
			install := &millrace.EnvironmentIntegration{EnvironmentID: env, IntegrationID: integration.ID, Override: doc}
			if err := tx.Installs().Create(ctx, install); err != nil {
				return err
			}
			account := &millrace.IntegratedAccount{EnvironmentID: env, EnvironmentIntegrationID: install.ID, TenantID: "t", Secrets: doc, FullOverride: doc, Sealed: true}
			hook := &millrace.Webhook{EnvironmentID: env, TargetURL: "https://a.test", Secret: "s", PreviousSecret: "p", Config: doc}
			inbound := &millrace.InboundHook{EnvironmentID: env, Status: millrace.InboundRejected, Header: doc, Query: "a=b", Body: doc, AccountIDs: json.RawMessage("[]"), EventIDs: json.RawMessage("[]")}
			if err := errors.Join(tx.Accounts().Create(ctx, account), tx.Webhooks().Create(ctx, hook), tx.Hooks().Create(ctx, inbound)); err != nil {
				return err
			}
		}
		return nil
	})
}

// readable checks that every value can be read with the keys of a storage.
func (h *keyHome) readable(s *Storage) error {
	ctx, env := h.t.Context(), millrace.FirstEnvironmentID()
	return s.DB.View(ctx, func(tx *store.Tx) error {
		integrations, err1 := tx.Integrations().List(ctx, env, millrace.Query{})
		installs, err2 := tx.Installs().List(ctx, env, millrace.Query{})
		accounts, err3 := tx.Accounts().List(ctx, env, millrace.Query{})
		webhooks, err4 := tx.Webhooks().List(ctx, env, millrace.Query{})
		hooks, err5 := tx.Hooks().List(ctx, env, millrace.Query{})
		if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
			return err
		}
		for what, n := range map[string]int{
			"integrations": len(integrations.Result), "installs": len(installs.Result), "accounts": len(accounts.Result),
			"webhooks": len(webhooks.Result), "hooks": len(hooks.Result),
		} {
			if n != h.rows {
				return fmt.Errorf("%d of %d %s can be read", n, h.rows, what)
			}
		}
		for i := range webhooks.Result {
			if webhooks.Result[i].Secret != "s" || webhooks.Result[i].PreviousSecret != "p" {
				return fmt.Errorf("a webhook has the secrets %q and %q", webhooks.Result[i].Secret, webhooks.Result[i].PreviousSecret)
			}
		}
		return nil
	})
}

func (h *keyHome) fails(err error, words ...string) {
	h.t.Helper()
	for _, w := range words {
		if err == nil || !strings.Contains(err.Error(), w) {
			h.t.Errorf("got %v, want an error that says %q", err, w)
		}
	}
}

// needs returns how many values still need each key but the newest.
func (h *keyHome) needs(keys ...string) int64 {
	h.t.Helper()
	states, err := KeyStates(h.t.Context(), h.options(keys...))
	if err != nil {
		h.t.Fatal(err)
	}
	n := int64(0)
	for _, s := range states {
		for _, o := range s.Needed {
			if !s.Newest {
				n += o.Rows
			}
		}
	}
	return n
}

func reseal(t *testing.T) func(s *Storage) error {
	return func(s *Storage) error {
		for {
			if n, err := s.resealAll(t.Context(), slog.New(slog.DiscardHandler)); err != nil || n == 0 {
				return err
			}
		}
	}
}

func TestKeysAreRotated(t *testing.T) {
	eachKeyHome(t, func(t *testing.T, h *keyHome) {
		a, b, c := testKey("a"), testKey("b"), testKey("c")
		h.do(func(s *Storage) error { return h.fill(s, 5) }, a)
		h.fails(h.with(h.readable, b), "another encryption key")

		// The new key encrypts, the old one decrypts.
		h.do(func(s *Storage) error { return errors.Join(h.readable(s), h.fill(s, 2), h.readable(s)) }, b, a)
		h.fails(h.with(h.readable, b), "still needs an encryption key (the first one)", "integrated_account.secrets: 5", "webhook.previous_secret: 5", "inbound_hook.query: 5")
		h.fails(h.with(h.readable, a), "still needs an encryption key ("+name(b)+")", "webhook.secret: 2")
		if _, err := OpenExisting(t.Context(), h.options(b)); err == nil {
			t.Error("a command opens the database without a key that is needed")
		}

		h.do(reseal(t), b, a)
		if n := h.needs(b, a); n != 0 {
			t.Errorf("%d values need the old key", n)
		}
		h.do(h.readable, b)
		h.do(h.readable, b) // the old key is forgotten
		h.fails(h.with(h.readable, a), "another encryption key")

		// And again, back and forth.
		h.do(func(s *Storage) error { return errors.Join(h.fill(s, 1), h.readable(s)) }, c, b)
		h.do(reseal(t), b, c)
		h.do(reseal(t), c, b)
		h.do(h.readable, c)
	})
}

func name(key string) string {
	k, err := secret.NewKeyring(key, "", "")
	if err != nil {
		panic(err)
	}
	return keyNames(k)[0]
}

// TestResealingSurvivesKills kills the process that seals again, anywhere: every value can be read, and in the end the old key is
// not needed.
func TestResealingSurvivesKills(t *testing.T) {
	eachKeyHome(t, func(t *testing.T, h *keyHome) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 1))
		a, b := testKey("a"), testKey("b")
		h.do(func(s *Storage) error { return h.fill(s, 600) }, a)
		var left []int64
		for done := false; !done; {
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), "RESEAL_DIR="+h.dir, "RESEAL_URL="+h.url, "RESEAL_KEYS="+b+","+a)
			in, err1 := cmd.StdinPipe()
			out, err2 := cmd.StdoutPipe()
			if err := errors.Join(err1, err2, cmd.Start()); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(out)
			if !lines.Scan() || lines.Text() != "open" {
				t.Fatalf("the process says %q", lines.Text())
			}
			timer := time.AfterFunc(time.Duration(100+random.IntN(600)+100*len(left))*time.Millisecond, func() { _ = cmd.Process.Kill() })
			done = lines.Scan()
			if done && lines.Text() != "done" {
				t.Fatalf("the process says %q", lines.Text())
			}
			timer.Stop()
			_ = cmd.Process.Kill()
			_, _ = in.Close(), cmd.Wait()
			h.do(h.readable, b, a)
			left = append(left, h.needs(b, a))
			// A process that dies after its last commit has not printed done.
			if n := left[len(left)-1]; done && n != 0 {
				t.Errorf("the process is done, and %d values need the old key", n)
			}
		}
		t.Logf("left after each kill: %v", left)
		if !slices.IsSortedFunc(left, func(a, b int64) int { return int(b - a) }) {
			t.Errorf("it goes back: %v", left)
		}
		h.do(h.readable, b)
	})
}

// A value that no key opens stays, is reported, and does not stop the others.
func TestUnreadableValueStays(t *testing.T) {
	eachKeyHome(t, func(t *testing.T, h *keyHome) {
		a, b := testKey("a"), testKey("b")
		h.do(func(s *Storage) error {
			err := h.fill(s, 3)
			storetest.Strings(t, s.DB, "UPDATE webhook SET secret = config RETURNING 'x'")
			return err
		}, a)
		var log bytes.Buffer
		h.do(func(s *Storage) error {
			_, err := s.resealAll(t.Context(), slog.New(slog.NewTextHandler(&log, nil)))
			return err
		}, b, a)
		if !strings.Contains(log.String(), "open webhook.secret of row") || !strings.Contains(log.String(), "values=27 failed=3") {
			t.Errorf("the log says %s", log.String())
		}
		if n := h.needs(b, a); n != 3 {
			t.Errorf("%d values need the old key, want 3", n)
		}
	})
}

// Two nodes that could not read each other are not at work at the same time.
func TestNodesAgreeOnKeys(t *testing.T) {
	t.Parallel()
	a, b := testKey("a"), testKey("b")
	url := storetest.EmptyPostgres(t)
	first, second := &keyHome{t: t, dir: t.TempDir(), url: url}, &keyHome{t: t, dir: t.TempDir(), url: url}
	nothing := func(*Storage) error { return nil }
	first.do(func(*Storage) error {
		second.fails(second.with(nothing, b, a), "does not have the key "+name(b), "as a further line first")
		second.fails(second.with(nothing, b), "another encryption key")
		return second.with(nothing, a, b)
	}, a)
	first.do(func(*Storage) error { return second.with(nothing, b, a) }, a, b) // it is promoted while the other has it as a further one
	first.do(func(*Storage) error {
		second.fails(second.with(nothing, a), "encrypts with the key "+name(b))
		return second.with(nothing, a, b)
	}, b, a)
	first.do(func(s *Storage) error { // an older version does not tell its keys
		storetest.Strings(t, s.DB, "UPDATE node SET keys = '' RETURNING 'x'")
		second.fails(second.with(nothing, b, a), "knows one encryption key only")
		return second.with(nothing, a)
	}, a, b)
}

func TestKeyFileIsRotated(t *testing.T) {
	t.Parallel()
	h := &keyHome{t: t, dir: t.TempDir()}
	nothing := func(*Storage) error { return nil }
	h.do(func(s *Storage) error { return h.fill(s, 1) })
	file := secret.KeyFile(h.dir)
	made, err := RotateKey(t.Context(), h.options(), file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	info, statErr := os.Stat(file)
	if err != nil || statErr != nil || info.Mode().Perm() != 0o600 || strings.Count(string(text), "\n") != 2 || name(strings.Fields(string(text))[0]) != made {
		t.Fatalf("got the key %s and the file %v with %d bytes, %v, %v", made, info, len(text), err, statErr)
	}
	_, err = RotateKey(t.Context(), h.options(), file)
	h.fails(err, "is not in use yet")
	if states, err := KeyStates(t.Context(), h.options()); err != nil || len(states) != 2 || !states[1].First || states[1].Newest || !states[0].Newest {
		t.Errorf("got %+v, %v", states, err)
	}
	h.do(nothing)
	_, err = RotateKey(t.Context(), h.options(), file)
	h.fails(err, "2 keys are in use")
	h.do(func(s *Storage) error { return errors.Join(reseal(t)(s), h.readable(s)) })
	if err := os.WriteFile(file, []byte(strings.Fields(string(text))[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	h.do(h.readable)
	if os.Geteuid() == 0 { // the command may be run by root, and the server not
		if err := os.Chown(file, 12345, 12346); err != nil {
			t.Fatal(err)
		}
		if _, err := RotateKey(t.Context(), h.options(), file); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(file)
		if owner, ok := info.Sys().(*syscall.Stat_t); err != nil || !ok || owner.Uid != 12345 || owner.Gid != 12346 {
			t.Errorf("the new file belongs to %+v, %v", info.Sys(), err)
		}
	}
	if left, _ := filepath.Glob(file + ".*"); len(left) > 0 {
		t.Errorf("files are left: %v", left)
	}
}

// A run that began before the new key may hold cursors that the old one has sealed.
func TestOpenRunsNeedTheOldKey(t *testing.T) {
	eachKeyHome(t, func(t *testing.T, h *keyHome) {
		a, b := testKey("a"), testKey("b")
		run := &millrace.SyncJobRun{EnvironmentID: millrace.FirstEnvironmentID(), Status: millrace.RunCreated}
		h.do(func(s *Storage) error {
			return s.DB.Update(t.Context(), func(tx *store.Tx) error { return tx.SyncJobRuns().Create(t.Context(), run) })
		}, a)
		var sealed []byte
		h.do(func(s *Storage) error {
			var err error
			sealed, err = s.Keys.Seal([]byte("cursor"), []byte("x"))
			return err
		}, a)
		h.do(func(s *Storage) error {
			plain, err := s.Keys.Open(sealed, []byte("x"))
			if string(plain) != "cursor" {
				t.Errorf("a cursor reads %q", plain)
			}
			return err
		}, b, a)
		h.fails(h.with(func(*Storage) error { return nil }, b), "sync job runs that began before: 1")
		h.do(func(s *Storage) error {
			storetest.Strings(t, s.DB, "UPDATE sync_job_run SET status = 'failed' RETURNING 'x'")
			return nil
		}, b, a)
		h.do(func(*Storage) error { return nil }, b)
	})
}

// TestEverySealedColumnIsKnown reads the source, so that a new sealed column is not left out of a rotation.
func TestEverySealedColumnIsKnown(t *testing.T) {
	t.Parallel()
	var declared []string
	for _, dir := range []string{"accounts", "deliveries", "syncjobs", "workflows", "upkeep"} {
		files, err := filepath.Glob(filepath.Join("..", "store", dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatal(err, dir)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(`Sealed(?:Text)?\("(\w+)", "(\w+)"|Seal\([^)]*\), \[\]byte\("(\w+\.\w+)"`).FindAllStringSubmatch(string(text), -1) {
				declared = append(declared, strings.Trim(m[1]+"."+m[2]+m[3], "."))
			}
		}
	}
	list, err := os.ReadFile(filepath.Join("..", "store", "key_check.go"))
	if err != nil {
		t.Fatal(err)
	}
	var known []string
	for _, m := range regexp.MustCompile(`\{"(\w+)", "(\w+)"\},`).FindAllStringSubmatch(string(list), -1) {
		known = append(known, m[1]+"."+m[2])
	}
	slices.Sort(declared)
	slices.Sort(known)
	if declared = slices.Compact(declared); !slices.Equal(declared, known) || len(known) < 11 {
		t.Errorf("sealed columns are %v, a rotation knows %v", declared, known)
	}
}
