package table

import (
	"encoding/json"
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store/sqldb"
)

// Kind says how a column is compared and shown to filters.
type Kind int

// The kinds of columns.
const (
	KindText Kind = iota
	KindBool
	KindInt
	KindTime
	KindDocument // JSON text; its members can be filtered by a dotted name
	KindHidden   // not visible to filters
)

// Column ties a column of a table to a field of the noun T.
type Column[T any] struct {
	name string
	kind Kind
	get  func(*sqldb.Tx, *T) (any, error) // value to write
	dest func(*sqldb.Tx, *T) any          // where to scan to
	size func(*T) int                     // bytes of the value; nil: few

	hidden Kind            // what it is beside being hidden
	secret func(*T) []byte // of what is never shown: its value as it is; nil: it is no secret
}

// Virtual is an expression that lists can be filtered by.
type Virtual struct {
	expr string
	kind Kind
}

// Text is a column of text.
func Text[T any, S ~string](name string, field func(*T) *S) Column[T] {
	return Column[T]{
		name: name, kind: KindText,
		get:  func(tx *sqldb.Tx, v *T) (any, error) { return string(*field(v)), nil },
		dest: func(tx *sqldb.Tx, v *T) any { return &textDest[S]{field(v)} },
		size: func(v *T) int { return len(*field(v)) },
	}
}

// textDest scans text into a string type.
type textDest[S ~string] struct{ to *S }

// Scan implements sql.Scanner.
func (d *textDest[S]) Scan(src any) error {
	switch s := src.(type) {
	case string:
		*d.to = S(s)
	case []byte:
		*d.to = S(s)
	default:
		return fmt.Errorf("scan text from %T", src)
	}
	return nil
}

// Number is a column of whole numbers.
func Number[T any](name string, field func(*T) *int64) Column[T] {
	return Column[T]{
		name: name, kind: KindInt,
		get:  func(tx *sqldb.Tx, v *T) (any, error) { return *field(v), nil },
		dest: func(tx *sqldb.Tx, v *T) any { return field(v) },
	}
}

// Flag is a column of truth values.
func Flag[T any](name string, field func(*T) *bool) Column[T] {
	return Column[T]{
		name: name, kind: KindBool,
		get:  func(tx *sqldb.Tx, v *T) (any, error) { return *field(v), nil },
		dest: func(tx *sqldb.Tx, v *T) any { return field(v) },
	}
}

// NotFlag is a column of truth values that a row has the other way round, so that its zero value is the usual one.
func NotFlag[T any](name string, field func(*T) *bool) Column[T] {
	return Column[T]{
		name: name, kind: KindBool,
		get:  func(tx *sqldb.Tx, v *T) (any, error) { return !*field(v), nil },
		dest: func(tx *sqldb.Tx, v *T) any { return notDest{field(v)} },
	}
}

// notDest reads a truth value the other way round.
type notDest struct{ v *bool }

// Scan implements sql.Scanner.
func (d notDest) Scan(src any) error {
	switch src := src.(type) {
	case bool:
		*d.v = !src
	case int64:
		*d.v = src == 0
	default:
		return fmt.Errorf("read a truth value from %T", src)
	}
	return nil
}

// Stamp is a column of times.
func Stamp[T any](name string, field func(*T) *millrace.Time) Column[T] {
	return Column[T]{
		name: name, kind: KindTime,
		get:  func(tx *sqldb.Tx, v *T) (any, error) { return int64(*field(v)), nil },
		dest: func(tx *sqldb.Tx, v *T) any { return (*int64)(field(v)) },
	}
}

// Document is a column of JSON text, whose members lists can be filtered by.
func Document[T any](name string, field func(*T) *json.RawMessage) Column[T] {
	return Column[T]{
		name: name, kind: KindDocument,
		get:  func(tx *sqldb.Tx, v *T) (any, error) { return string(*field(v)), nil },
		dest: func(tx *sqldb.Tx, v *T) any { return &documentDest{field(v)} },
		size: func(v *T) int { return len(*field(v)) },
	}
}

// maxWarnings bounds what one row keeps of its warnings, in bytes: rows are read whole in lists and when events are matched.
const maxWarnings = 16 << 10

// Warnings are those about a row, the last of them left out if they are too long.
func Warnings[T any](field func(*T) *[]millrace.Failure) Column[T] {
	return Column[T]{
		name: "warnings", kind: KindHidden,
		get: func(tx *sqldb.Tx, v *T) (any, error) {
			list, size := *field(v), 0
			for i := range list {
				b, err := json.Marshal(list[i])
				if err != nil {
					return nil, err
				}
				if size += len(b); size > maxWarnings {
					list = list[:i]
					break
				}
			}
			if len(list) == 0 {
				return "", nil
			}
			b, err := json.Marshal(list)
			return string(b), err
		},
		dest: func(tx *sqldb.Tx, v *T) any { return &jsonDest{field(v)} },
	}
}

// Hidden makes a column one that lists cannot be filtered or sorted by.
func Hidden[T any](c Column[T]) Column[T] {
	c.kind, c.hidden = KindHidden, c.kind
	return c
}

// shape is the kind of a column whether or not it is hidden.
func (c *Column[T]) shape() Kind {
	if c.kind == KindHidden {
		return c.hidden
	}
	return c.kind
}

// Secret hides a column of text from lists, and shows of its changes only that there were some.
func Secret[T any](c Column[T]) Column[T] {
	get := c.get
	c.kind = KindHidden
	c.secret = func(v *T) []byte {
		value, err := get(nil, v)
		if err != nil {
			return nil
		}
		return []byte(fmt.Sprint(value))
	}
	return c
}

// documentDest scans text into a document; empty text is an absent one.
type documentDest struct{ to *json.RawMessage }

// Scan implements sql.Scanner.
func (d *documentDest) Scan(src any) error {
	switch s := src.(type) {
	case nil:
		*d.to = nil
	case string:
		*d.to = nil
		if s != "" {
			*d.to = json.RawMessage(s)
		}
	case []byte:
		*d.to = nil
		if len(s) > 0 {
			*d.to = append(json.RawMessage(nil), s...)
		}
	default:
		return fmt.Errorf("scan document from %T", src)
	}
	return nil
}

// Sealed is a document column that is encrypted at rest, bound to its table and column.
func Sealed[T any](table, name string, field func(*T) *json.RawMessage) Column[T] {
	ad := []byte(table + "." + name)
	return Column[T]{
		name: name, kind: KindHidden,
		get: func(tx *sqldb.Tx, v *T) (any, error) { return tx.Seal(*field(v), ad) },
		dest: func(tx *sqldb.Tx, v *T) any {
			return &sealedDest{tx, ad, func(b []byte) { *field(v) = b }}
		},
		size:   func(v *T) int { return len(*field(v)) },
		secret: func(v *T) []byte { return *field(v) },
	}
}

// SealedText is a text column that is encrypted at rest.
func SealedText[T any](table, name string, field func(*T) *string) Column[T] {
	ad := []byte(table + "." + name)
	return Column[T]{
		name: name, kind: KindHidden,
		get: func(tx *sqldb.Tx, v *T) (any, error) { return tx.Seal([]byte(*field(v)), ad) },
		dest: func(tx *sqldb.Tx, v *T) any {
			return &sealedDest{tx, ad, func(b []byte) { *field(v) = string(b) }}
		},
		size:   func(v *T) int { return len(*field(v)) },
		secret: func(v *T) []byte { return []byte(*field(v)) },
	}
}

type sealedDest struct {
	tx  *sqldb.Tx
	ad  []byte
	set func([]byte)
}

// Scan implements sql.Scanner.
func (d *sealedDest) Scan(src any) error {
	b, _ := src.([]byte)
	if len(b) == 0 {
		d.set(nil)
		return nil
	}
	plain, err := d.tx.Open(b, d.ad)
	if err != nil {
		return fmt.Errorf("open sealed %s (is the encryption key the one it was stored with?): %w", d.ad, err)
	}
	d.set(plain)
	return nil
}

// jsonDest scans JSON text into a Go value.
type jsonDest struct{ to any }

// Scan implements sql.Scanner.
func (d *jsonDest) Scan(src any) error {
	var raw json.RawMessage
	if err := (&documentDest{&raw}).Scan(src); err != nil || len(raw) == 0 {
		return err
	}
	return json.Unmarshal(raw, d.to)
}

// DocumentTo is where a document is scanned to.
func DocumentTo(to *json.RawMessage) any { return &documentDest{to} }

// JSONTo is where JSON text is scanned to that becomes a Go value.
func JSONTo(to any) any { return &jsonDest{to} }

// Encoded is a document column of a Go value. value returns a pointer to it.
func Encoded[T any](name string, value func(*T) any, size func(*T) int) Column[T] {
	return Column[T]{
		name: name, kind: KindDocument,
		get:  func(_ *sqldb.Tx, v *T) (any, error) { b, err := json.Marshal(value(v)); return string(b), err },
		dest: func(_ *sqldb.Tx, v *T) any { return &jsonDest{value(v)} },
		size: size,
	}
}

// Computed is a name for filters that stands for an expression.
func Computed(expr string, kind Kind) Virtual { return Virtual{expr, kind} }
