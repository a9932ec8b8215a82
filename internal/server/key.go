package server

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	daead "github.com/tink-crypto/tink-go/v2/daead/subtle"

	"github.com/millrace/millrace/internal/store"
)

// keySize makes AES-256-GCM.
const keySize = 32

// keyring is the store's cipher. Whether a key may be made is known only once the database is open, so it may have none at first.
type keyring struct {
	cipher store.Cipher
	source string // where the key comes from, for people
	siv    *daead.AESSIV
}

var errNoKey = errors.New("there is no encryption key yet")

// Encrypt implements store.Cipher.
func (k *keyring) Encrypt(plain, ad []byte) ([]byte, error) {
	if k.cipher == nil {
		return nil, errNoKey
	}
	return k.cipher.Encrypt(plain, ad)
}

// Decrypt implements store.Cipher.
func (k *keyring) Decrypt(sealed, ad []byte) ([]byte, error) {
	if k.cipher == nil {
		return nil, errNoKey
	}
	return k.cipher.Decrypt(sealed, ad)
}

func (k *keyring) use(text, source string) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil || len(key) != keySize {
		return fmt.Errorf("the encryption key must be %d bytes in base64 (for example from: openssl rand -base64 32); that of %s is not", keySize, source)
	}
	k.source = source
	if k.cipher, err = subtle.NewAESGCM(key); err != nil {
		return err
	}
	derived := hmac.New(sha512.New, key) // AES-SIV wants 64 bytes, and no key is used for two things
	_, _ = derived.Write([]byte("millrace cursors"))
	k.siv, err = daead.NewAESSIV(derived.Sum(nil))
	return err
}

// Seal implements fetch.Sealer.
func (k *keyring) Seal(plain, data []byte) ([]byte, error) {
	return k.siv.EncryptDeterministically(plain, data)
}

// Open implements fetch.Sealer.
func (k *keyring) Open(sealed, data []byte) ([]byte, error) {
	return k.siv.DecryptDeterministically(sealed, data)
}

// newKeyring takes the key of the options or of the key file, if there is one.
func newKeyring(opts Options) (*keyring, error) {
	k := &keyring{}
	if opts.EncryptionKey != "" {
		return k, k.use(opts.EncryptionKey, "--encryption-key or MILLRACE_ENCRYPTION_KEY")
	}
	path := KeyFile(opts.DataDir)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read encryption key: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("the encryption key %s may be read or changed by others (mode %04o); run: chmod 600 %s", path, mode, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read encryption key: %w", err)
	}
	return k, k.use(string(text), path)
}

// settle makes sure that the key is that of the database. A new database gets a new key, unless nothing may be made.
func (k *keyring) settle(ctx context.Context, opts Options, db *store.DB, name string, mayCreate bool) error {
	if k.cipher == nil {
		sealed, err := db.Sealed(ctx)
		switch {
		case err != nil:
			return err
		case sealed:
			return fmt.Errorf("the database %s was sealed with an encryption key, and %s does not exist: put the key file of before there "+
				"(all nodes need the same one), or give the key as --encryption-key or MILLRACE_ENCRYPTION_KEY", name, KeyFile(opts.DataDir))
		case !mayCreate:
			return fmt.Errorf("the database %s has no encryption key yet: start the server first", name)
		}
		text, err := createKey(ctx, opts)
		if err != nil {
			return err
		}
		if err := k.use(text, KeyFile(opts.DataDir)); err != nil {
			return err
		}
	}
	err := db.CheckKey(ctx)
	if errors.Is(err, store.ErrKey) {
		return fmt.Errorf("the database %s was sealed with another encryption key than that of %s: nothing that is sealed could be read. "+
			"Give the key of before, which all nodes need: as the file %s, or as --encryption-key or MILLRACE_ENCRYPTION_KEY",
			name, k.source, KeyFile(opts.DataDir))
	}
	return err
}

// KeyFile returns where the key of a data directory is kept.
func KeyFile(dataDir string) string { return filepath.Join(dataDir, "encryption.key") }

// createKey makes the key file, or returns the key of another process that did so at the same time.
func createKey(ctx context.Context, opts Options) (string, error) {
	path := KeyFile(opts.DataDir)
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // never fails
	encoded := base64.StdEncoding.EncodeToString(key) + "\n"
	// Created whole under another name, so that a crash leaves no half key; linked, so that of two processes that
	// start at once one wins.
	tmp, err := os.CreateTemp(opts.DataDir, "encryption.key.*") // mode 0600
	if err != nil {
		return "", fmt.Errorf("create encryption key: %w", err)
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.WriteString(encoded)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return "", fmt.Errorf("write encryption key: %w", err)
	}
	if err := os.Link(tmp.Name(), path); err != nil {
		if !errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("store encryption key: %w", err)
		}
		text, err := os.ReadFile(path)
		return string(text), err
	}
	opts.Logger.InfoContext(ctx, "created an encryption key; without it the stored credentials are lost, so back it up", slog.String("file", path))
	return encoded, nil
}
