package checkpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/millrace/millrace/jsonata"
)

// LoopMark notices a cursor that goes round in circles, however long, without remembering all cursors: it keeps one and
// moves it forward when as many pages as before have passed. A cursor that comes again is no proof, since some APIs move
// on the server's side under the same cursor; the same records under it are.
type LoopMark struct {
	Cursor  string `json:"cursor,omitempty"`  // hash of the marked cursor
	Records string `json:"records,omitempty"` // hash of the records under it, once it came again
	Left    int64  `json:"left,omitempty"`    // pages until the mark moves
	Span    int64  `json:"span,omitempty"`
}

// Circles notes the page fetched with a cursor and reports whether the pages repeat themselves. The page after next is
// the first that is known to be repeated, so up to two pages may be sent twice before the loop is found.
func (m *LoopMark) Circles(cursor json.RawMessage, records []jsonata.Value) (bool, error) {
	if len(cursor) == 0 {
		return false, nil
	}
	hash := hashOf(cursor)
	if hash == m.Cursor {
		raw, err := jsonata.ToJSON(jsonata.NewArray(records...))
		if err != nil {
			return false, err
		}
		content := hashOf(raw)
		if content == m.Records {
			return true, nil
		}
		m.Records, m.Left = content, m.Span // the mark stays until the cursor has had time to come once more
		return false, nil
	}
	if m.Left--; m.Left <= 0 {
		m.Span = max(1, 2*m.Span)
		m.Cursor, m.Records, m.Left = hash, "", m.Span
	}
	return false, nil
}

func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}
