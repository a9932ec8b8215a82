package page

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
)

// List is one request of a list, as its pagination sees it.
type List struct {
	At       *Cursor                // nil: the first page
	Limit    int                    // page size that the caller asks for; 0: none
	Metadata string                 // path of the object in responses that the paths of the pagination start from
	Scope    *expr.Object           // of placeholders
	Values   *expr.Object           // of a dynamic pagination; nil: not computed yet
	Reads    bool                   // the method has placeholders for the values of its pagination
	Hides    func(text string) bool // whether a text has a secret in it
	Eval     Evaluate
	Sealer   Sealer // nil: there are no cursors with secrets
	Owner    string // the environment, which sealed cursors are bound to
}

// Evaluate evaluates an expression of the config, which stands at path.
type Evaluate func(ctx context.Context, path string, p *expr.Program, scope expr.Value) (expr.Value, error)

// Sealer hides cursors that contain secrets: a provider or an expression of the config may put one there, and cursors are
// shown to callers and stored. The same text always gives the same result, so that a list that goes round in circles is noticed.
// What is sealed opens with the same data only.
type Sealer interface {
	Seal(plain, data []byte) ([]byte, error)
	Open(sealed, data []byte) ([]byte, error)
}

// Encode returns the text of a cursor that callers see, empty for no cursor. One with a secret is sealed for the environment.
func (l *List) Encode(at *Cursor) (string, error) {
	if at == nil || !l.Hides(string(at.Value)) && !l.Hides(at.Link) {
		return at.Encode()
	}
	if l.Sealer == nil {
		return "", errors.New("the cursor has a credential in it")
	}
	plain, err := json.Marshal(at)
	if err != nil {
		return "", err
	}
	sealed, err := l.Sealer.Seal(plain, l.cursorData(at.Format))
	if err != nil {
		return "", err
	}
	return (&Cursor{Format: at.Format, Sealed: sealed}).Encode()
}

// Decode reads a cursor that a caller sent back; nil for the first page.
func (l *List) Decode(s, format string) (*Cursor, error) {
	at, err := decodeCursor(s, format)
	if err != nil || at == nil || at.Sealed == nil {
		return at, err
	}
	bad := millrace.Invalid("next_cursor", "is not a cursor of this list")
	if l.Sealer == nil {
		return nil, bad
	}
	plain, err := l.Sealer.Open(at.Sealed, l.cursorData(format))
	if err != nil {
		return nil, bad
	}
	var inner Cursor
	if err := json.Unmarshal(plain, &inner); err != nil || inner.Format != format {
		return nil, bad
	}
	return &inner, nil
}

// cursorData is what a sealed cursor is bound to: the environment, so that no other one can have it sent anywhere.
func (l *List) cursorData(format string) []byte {
	return []byte("cursor\x00" + format + "\x00" + l.Owner)
}
