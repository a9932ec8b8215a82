package fetch

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"
)

// xorSealer is a Sealer for tests: what it makes has nothing of the text, and it is bound to its data.
type xorSealer struct{}

func (xorSealer) Seal(plain, data []byte) ([]byte, error) {
	out := append(bytes.Clone(data), plain...)
	for i := range out {
		out[i] ^= 0x5a
	}
	return out, nil
}

func (s xorSealer) Open(sealed, data []byte) ([]byte, error) {
	out, err := s.Seal(sealed, nil)
	rest, ok := bytes.CutPrefix(out, data)
	if !ok {
		err = errors.New("other data")
	}
	return rest, err
}

// An expression may put a secret into a cursor, and a provider may send one. Cursors are shown and stored.
func TestCursorsWithSecretsAreSealed(t *testing.T) {
	t.Parallel()
	const key = "sw0rdfish-1234"
	for name, pagination := range map[string]string{
		"dynamic": `{"format":"dynamic","config":{"get_pagination_values_expression":"query.after ? null : {'query': {'after': query.key}}"}}`,
		"cursor":  `{"format":"cursor","config":{"cursor_path":"next","cursor_query_param":"after","cursor_key":"after"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var after string
			u := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
				after = r.URL.Query().Get("after")
				next := `"` + r.URL.Query().Get("key") + `"`
				if after != "" {
					next = "null"
				}
				respondJSON(200, `{"data":[{"id":1}],"next":`+next+`}`)(w, r)
			})
			cfg := oneMethod(t, u.URL, "", `{"path":"/things","response_path":"data","query":{"key":"{{api_key}}"},"pagination":`+pagination+`}`)
			req := Request{Integration: cfg, Resource: "things", Method: "list", Context: map[string]any{"api_key": key}, Owner: "one"}
			f := newFetcher(t, func(c *FetcherConfig) { c.Cursors = xorSealer{} })
			first := fetchOK(t, f, req)
			raw, err := base64.RawURLEncoding.DecodeString(first.NextCursor)
			if err != nil || len(raw) == 0 || strings.Contains(string(raw), key) {
				t.Fatalf("got the cursor %s, %v", raw, err)
			}
			if again := fetchOK(t, f, req); again.NextCursor != first.NextCursor {
				t.Errorf("the same place has another cursor: a list that goes round in circles would not be noticed")
			}
			req.Cursor = first.NextCursor
			if second := fetchOK(t, f, req); after != key || second.NextCursor != "" {
				t.Errorf("the second page was asked for with %q, and goes on with %q", after, second.NextCursor)
			}
			req.Owner = "other"
			if _, err := f.Fetch(t.Context(), req); err == nil || !strings.Contains(err.Error(), "is not a cursor of this list") {
				t.Errorf("another environment: got %v", err)
			}
			req.Cursor = ""
			if o := fetchAny(t, newFetcher(t), req); o.Kind != KindRemoteError || strings.Contains(o.Message, key) {
				t.Errorf("without a sealer: got %s %q", o.Kind, o.Message)
			}
		})
	}
}
