package page

import (
	"net/http"
	"testing"
)

// FuzzLinks checks that no Link header crashes its parser.
func FuzzLinks(f *testing.F) {
	f.Add(`<a>; rel="next", <b>; rel=prev; title="x, y\""`)
	f.Add(`<<>>;;,,"`)
	f.Fuzz(func(_ *testing.T, s string) { parseLinks(http.Header{"Link": {s}}) })
}
