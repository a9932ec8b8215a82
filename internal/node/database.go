package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
)

// Options say which database a process uses. DataDir and Logger are required.
type Options struct {
	DataDir       string // SQLite file, key file, lock, list of known databases
	Database      string // postgres://...; empty: SQLite in DataDir
	EncryptionKey string // 32 bytes in base64, further ones that still decrypt below; empty: a key file in DataDir
	KeySource     string // where EncryptionKey comes from, for messages; empty: the flag
	Logger        *slog.Logger
	Clock         func() time.Time // nil: time.Now
	Warm          bool             // connections to PostgreSQL are opened before they are needed
	Faults        store.Faults     // of the database, for tests; nil: none
}

// Storage is an open database with its keys and, for SQLite, the lock on it.
type Storage struct {
	DB    *store.DB
	Keys  *secret.Keyring
	Lock  *Lock
	Place *Place // of a node on PostgreSQL
	left  atomic.Int64
}

// Open opens the database of a server and creates what is not there. One process owns a SQLite file: its tasks start again at once after a crash, so a
// second process must not believe that the first one died.
func Open(ctx context.Context, o Options) (*Storage, error) {
	if err := os.MkdirAll(o.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("create data directory: %w", err)
	}
	var lock *Lock
	url := o.Database
	if url == "" {
		var err error
		if lock, err = LockDir(o.DataDir); err != nil {
			return nil, err
		}
		if err := EnoughSpace(o.DataDir); err != nil {
			lock.Release()
			return nil, err
		}
		url = SQLitePath(o.DataDir)
	}
	db, keys, err := openDatabase(ctx, o, url, lock, true)
	if err != nil {
		lock.Release()
		return nil, err
	}
	opened := &Storage{DB: db, Keys: keys, Lock: lock}
	if err := opened.enter(ctx, o.DataDir); err != nil {
		_ = db.Close()
		lock.Release()
		opened.Place.Release()
		return nil, err
	}
	return opened, nil
}

// enter says which keys this node has, and begins to encrypt with the first of them.
func (s *Storage) enter(ctx context.Context, dataDir string) error {
	if s.DB.Postgres() == nil {
		return promoteKey(ctx, s.Keys, s.DB, nil)
	}
	var err error
	if s.Place, err = TakePlace(dataDir); err != nil {
		return err
	}
	err = s.DB.EnterNode(ctx, s.Place.ID, s.KeyNames())
	if err == nil {
		err = promoteKey(ctx, s.Keys, s.DB, s.Place)
	}
	if err != nil {
		err = errors.Join(err, s.DB.LeaveNode(context.WithoutCancel(ctx), s.Place.ID))
	}
	return err
}

// KeyNames are the keys as heartbeats name them.
func (s *Storage) KeyNames() []string { return keyNames(s.Keys) }

// openDatabase opens a database, with the key that it was sealed with. Unless mayCreate is set it must be there and up to date.
// It is created only where the data directory has not been used with it before.
func openDatabase(ctx context.Context, o Options, url string, lock *Lock, mayCreate bool) (*store.DB, *secret.Keyring, error) {
	known, err := IsKnown(o.DataDir, url)
	if err != nil {
		return nil, nil, err
	}
	keys, err := secret.NewKeyring(o.EncryptionKey, o.KeySource, o.DataDir)
	if err != nil {
		return nil, nil, err
	}
	if err := lock.Database(url); err != nil {
		return nil, nil, err
	}
	db, err := store.Open(ctx, store.Config{
		URL: url, Cipher: keys, Clock: o.Clock, Existing: known || !mayCreate, AsIs: !mayCreate, Faults: o.Faults, Warm: o.Warm,
	})
	switch {
	case errors.Is(err, store.ErrNoTables) && known:
		return nil, nil, Lost(o.DataDir, databaseOf(url), "empty")
	case errors.Is(err, store.ErrNoTables):
		return nil, nil, fmt.Errorf("the database %s has no tables: start the server first", databaseOf(url))
	case err != nil:
		return nil, nil, err
	}
	err = settleKey(ctx, o, keys, db, databaseOf(url), mayCreate)
	if err == nil && !known && mayCreate {
		err = Remember(o.DataDir, url)
	}
	if err != nil {
		_ = db.Close()
		return nil, nil, err
	}
	return db, keys, nil
}

// databaseOf returns the name of a database for people, without credentials.
func databaseOf(url string) string {
	if !store.IsPostgres(url) {
		return url
	}
	name, _ := store.Name(url) // it has been opened, so it has one
	return name
}

// SQLitePath returns the database file of a data directory.
func SQLitePath(dataDir string) string { return filepath.Join(dataDir, "millrace.db") }

// OpenExisting opens the database of a server that may be running. It creates neither a database nor a key.
func OpenExisting(ctx context.Context, o Options) (*store.DB, error) {
	db, _, err := openExisting(ctx, o)
	return db, err
}

func openExisting(ctx context.Context, o Options) (*store.DB, *secret.Keyring, error) {
	url := o.Database
	if url == "" {
		url = SQLitePath(o.DataDir)
		if _, err := IsKnown(o.DataDir, url); err != nil {
			return nil, nil, err
		}
		info, err := os.Stat(url)
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
			return nil, nil, fmt.Errorf("there is no database %s: start the server first, or name its directory with --data-dir or its address with --database", url)
		}
	}
	return openDatabase(ctx, o, url, nil, false)
}
