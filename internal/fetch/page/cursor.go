package page

import (
	"encoding/base64"
	"encoding/json"
	"errors"

	"github.com/millrace/millrace"
)

// MaxCursor bounds what callers may send as a cursor.
const MaxCursor = 64 << 10

// The formats of a pagination, and of cursors.
const (
	FormatPage    = "page"
	FormatCursor  = "cursor"
	FormatOffset  = "offset"
	FormatLink    = "link_header"
	FormatRange   = "range"
	FormatDynamic = "dynamic"
)

// Cursor is where a list goes on, in the terms of its pagination. Callers see it as one opaque text. The same place
// always gives the same text.
type Cursor struct {
	Format string          `json:"f"`
	Limit  int             `json:"l,omitempty"` // page size that the list was started with
	Number int64           `json:"n,omitempty"` // page, or offset
	Value  json.RawMessage `json:"c,omitempty"` // the provider's cursor, or the values of a dynamic pagination
	Link   string          `json:"u,omitempty"` // URL on the host of the base URL, without scheme and host
	Hash   string          `json:"h,omitempty"` // of the page before, to notice one that comes again
	Sealed []byte          `json:"s,omitempty"` // a whole cursor of this format that contains a secret; then nothing else is set
}

// Encode returns the text that callers see, empty for no cursor.
func (c *Cursor) Encode() (string, error) {
	if c == nil {
		return "", nil
	}
	data, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	s := base64.RawURLEncoding.EncodeToString(data)
	if len(s) > MaxCursor {
		return "", errors.New("the cursor is too large")
	}
	return s, nil
}

// decodeCursor reads a cursor that a caller sent back; nil for the first page.
func decodeCursor(s, format string) (*Cursor, error) {
	if s == "" {
		return nil, nil
	}
	bad := millrace.Invalid("next_cursor", "is not a cursor of this list")
	if len(s) > MaxCursor {
		return nil, bad
	}
	data, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return nil, bad
	}
	var c Cursor
	if err := json.Unmarshal(data, &c); err != nil || c.Format != format || c.Limit < 0 || c.Number < 0 {
		return nil, bad
	}
	return &c, nil
}
