package fetch

import (
	"encoding/base64"
	"encoding/json"
	"errors"

	"github.com/millrace/millrace"
)

// maxCursor bounds what callers may send as a cursor.
const maxCursor = 64 << 10

// The formats of a pagination, and of cursors.
const (
	pagePage    = "page"
	pageCursor  = "cursor"
	pageOffset  = "offset"
	pageLink    = "link_header"
	pageRange   = "range"
	pageDynamic = "dynamic"
)

// cursor is where a list goes on, in the terms of its pagination. Callers see it as one opaque text. The same place
// always gives the same text.
type cursor struct {
	Format string          `json:"f"`
	Limit  int             `json:"l,omitempty"` // page size that the list was started with
	Number int64           `json:"n,omitempty"` // page, or offset
	Value  json.RawMessage `json:"c,omitempty"` // the third party's cursor, or the values of a dynamic pagination
	Link   string          `json:"u,omitempty"` // URL on the host of the base URL, without scheme and host
	Hash   string          `json:"h,omitempty"` // of the page before, to notice one that comes again
	Sealed []byte          `json:"s,omitempty"` // a whole cursor of this format that contains a secret; then nothing else is set
}

// Sealer hides cursors that contain secrets: a provider or an expression of the config may put one there, and cursors are
// shown to callers and stored. The same text always gives the same result, so that a list that goes round in circles is noticed.
// What is sealed opens with the same data only.
type Sealer interface {
	Seal(plain, data []byte) ([]byte, error)
	Open(sealed, data []byte) ([]byte, error)
}

// encode returns the text of a cursor that callers see, empty for no cursor. One with a secret is sealed for the environment.
func (c *call) encode(at *cursor) (string, error) {
	if at == nil || !c.secrets.hides(string(at.Value)) && !c.secrets.hides(at.Link) {
		return at.encode()
	}
	if c.fetcher.cursors == nil {
		return "", errors.New("the cursor has a credential in it")
	}
	plain, err := json.Marshal(at)
	if err != nil {
		return "", err
	}
	sealed, err := c.fetcher.cursors.Seal(plain, c.cursorData(at.Format))
	if err != nil {
		return "", err
	}
	return (&cursor{Format: at.Format, Sealed: sealed}).encode()
}

// decode reads a cursor that a caller sent back; nil for the first page.
func (c *call) decode(s, format string) (*cursor, error) {
	at, err := decodeCursor(s, format)
	if err != nil || at == nil || at.Sealed == nil {
		return at, err
	}
	bad := millrace.Invalid("next_cursor", "is not a cursor of this list")
	if c.fetcher.cursors == nil {
		return nil, bad
	}
	plain, err := c.fetcher.cursors.Open(at.Sealed, c.cursorData(format))
	if err != nil {
		return nil, bad
	}
	var inner cursor
	if err := json.Unmarshal(plain, &inner); err != nil || inner.Format != format {
		return nil, bad
	}
	return &inner, nil
}

// cursorData is what a sealed cursor is bound to: the environment, so that no other one can have it sent anywhere.
func (c *call) cursorData(format string) []byte {
	return []byte("cursor\x00" + format + "\x00" + c.req.Owner)
}

// encode returns the text that callers see, empty for no cursor.
func (c *cursor) encode() (string, error) {
	if c == nil {
		return "", nil
	}
	data, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	s := base64.RawURLEncoding.EncodeToString(data)
	if len(s) > maxCursor {
		return "", errors.New("the cursor is too large")
	}
	return s, nil
}

// decodeCursor reads a cursor that a caller sent back; nil for the first page.
func decodeCursor(s, format string) (*cursor, error) {
	if s == "" {
		return nil, nil
	}
	bad := millrace.Invalid("next_cursor", "is not a cursor of this list")
	if len(s) > maxCursor {
		return nil, bad
	}
	data, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return nil, bad
	}
	var c cursor
	if err := json.Unmarshal(data, &c); err != nil || c.Format != format || c.Limit < 0 || c.Number < 0 {
		return nil, bad
	}
	return &c, nil
}
