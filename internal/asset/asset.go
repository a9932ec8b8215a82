// Package asset serves embedded files, which change only with the program: a browser asks each time, and gets a file only when it is another one.
package asset

import (
	"crypto/sha256"
	"encoding/base64"
	"io/fs"
	"net/http"
)

// Handler returns a handler of one file with its content type. It panics when the file is not there, because it is embedded.
func Handler(files fs.ReadFileFS, name, kind string) http.HandlerFunc {
	body, err := files.ReadFile(name)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(body)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("ETag", tag)
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write(body) // the browser may have left
	}
}
