package server

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"

	"github.com/millrace/millrace/internal/store"
)

// keySize makes AES-256-GCM.
const keySize = 32

// newCipher returns AES-256-GCM with the key of the options, of the key file, or of a new key file.
func newCipher(ctx context.Context, opts Options) (store.Cipher, error) {
	text := opts.EncryptionKey
	if text == "" {
		var err error
		if text, err = keyFile(ctx, opts); err != nil {
			return nil, err
		}
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil || len(key) != keySize {
		return nil, fmt.Errorf("the encryption key must be %d bytes in base64 (for example from: openssl rand -base64 32)", keySize)
	}
	return subtle.NewAESGCM(key)
}

// KeyFile returns where the key of a data directory is kept.
func KeyFile(dataDir string) string { return filepath.Join(dataDir, "encryption.key") }

func keyFile(ctx context.Context, opts Options) (string, error) {
	path := KeyFile(opts.DataDir)
	text, err := os.ReadFile(path)
	if err == nil {
		return string(text), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read encryption key: %w", err)
	}
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
		if errors.Is(err, fs.ErrExist) {
			return keyFile(ctx, opts)
		}
		return "", fmt.Errorf("store encryption key: %w", err)
	}
	opts.Logger.InfoContext(ctx, "created an encryption key; without it the stored credentials are lost, so back it up", slog.String("file", path))
	return encoded, nil
}
