package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/millrace/millrace"
)

// ErrKey says that the encryption key is not the one that the database was sealed with.
var ErrKey = errors.New("store: the database was sealed with another encryption key")

// keyCheck is what the check value seals, and keyCheckData what it is bound to.
const (
	keyCheck     = "millrace"
	keyCheckData = "key_check.value"
)

// sealedColumns are columns with sealed values, for databases of versions that kept no check value.
func sealedColumns() [][2]string {
	return [][2]string{
		{"integrated_account", "secrets"},
		{"integration", "config"},
		{"environment_integration", "override"},
		{"webhook", "secret"},
		{"inbound_hook", "header"},
		{"idempotent_call", "body"},
	}
}

// CheckKey compares the encryption key with that of earlier starts, of which the database has a sealed value. The first start
// stores it. It returns ErrKey when the keys differ.
func (db *DB) CheckKey(ctx context.Context) error {
	err := db.checkKey(ctx)
	if millrace.KindOf(err) == millrace.KindConflict { // another node has started at the same time, and its value counts
		err = db.checkKey(ctx)
	}
	return err
}

func (db *DB) checkKey(ctx context.Context) error {
	return db.Update(ctx, func(tx *Tx) error {
		value, data, err := tx.anySealed(ctx)
		if err != nil {
			return err
		}
		if value != nil {
			if _, err := db.cipher.Decrypt(value, []byte(data)); err != nil {
				return ErrKey
			}
			if data == keyCheckData {
				return nil
			}
		}
		check, err := seal(db, []byte(keyCheck), []byte(keyCheckData))
		if err != nil {
			return err
		}
		if _, err := tx.exec(ctx, "INSERT INTO key_check (id, value) VALUES (1, $1)", check); err != nil {
			return fmt.Errorf("store check value of the encryption key: %w", err)
		}
		return nil
	})
}

// Sealed reports whether the database has values that were sealed with an encryption key.
func (db *DB) Sealed(ctx context.Context) (bool, error) {
	sealed := false
	err := db.View(ctx, func(tx *Tx) error {
		value, _, err := tx.anySealed(ctx)
		sealed = value != nil
		return err
	})
	return sealed, err
}

// anySealed returns a sealed value and what it is bound to: the check value, if there is one; nil when nothing is sealed.
func (tx *Tx) anySealed(ctx context.Context) ([]byte, string, error) {
	var value []byte
	found, err := tx.one(ctx, "SELECT value FROM key_check WHERE id = 1", nil, &value)
	if err != nil {
		return nil, "", fmt.Errorf("read check value of the encryption key: %w", err)
	}
	if found {
		return value, keyCheckData, nil
	}
	for _, c := range sealedColumns() {
		found, err := tx.one(ctx, fmt.Sprintf("SELECT %s FROM %s WHERE length(%s) > 0 LIMIT 1", c[1], c[0], c[1]), nil, &value)
		if err != nil {
			return nil, "", fmt.Errorf("look for sealed values: %w", err)
		}
		if found {
			return value, c[0] + "." + c[1], nil
		}
	}
	return nil, "", nil
}
