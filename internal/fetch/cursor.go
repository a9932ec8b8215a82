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
