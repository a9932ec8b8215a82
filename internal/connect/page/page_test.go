package page

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestWhatStandsOnAColourCanBeRead(t *testing.T) {
	t.Parallel()
	for color, want := range map[string]string{"": "#ffffff", "#0b57d0": "#ffffff", "#ffee00": "#000000", "#ffffff": "#000000", "#000000": "#ffffff"} {
		if got := ink(color); got != want {
			t.Errorf("on %q: got %s, want %s", color, got, want)
		}
	}
}

func TestEveryLanguageHasEveryText(t *testing.T) {
	t.Parallel()
	texts, err := loadTexts()
	if err != nil {
		t.Fatal(err)
	}
	for i, tag := range texts.tags {
		for key := range texts.all[0] {
			if texts.all[i][key] == "" {
				t.Errorf("%s has no text for %q", tag, key)
			}
		}
	}
}

func TestOtherMethodsAreNotAllowed(t *testing.T) {
	t.Parallel()
	h, err := New(nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodTrace, "FROB"} {
		for _, path := range []string{"/connect-account", "/connect-account/session", "/connect-account/status", "/connect-account/post-connect", "/connect-account/post-connect/options", "/connect/crm/callback"} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody))
			if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") == "" {
				t.Errorf("%s %s: %d, Allow %q", method, path, w.Code, w.Header().Get("Allow"))
			}
		}
	}
}

// TestScriptsAreSmall: customers load them on any connection.
func TestScriptsAreSmall(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	for _, name := range []string{"connect.js", "form.js"} {
		raw, err := files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := z.Write(raw); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if packed.Len() > 15_000 {
		t.Errorf("the scripts have %d bytes gzipped, more than 15 kB", packed.Len())
	}
	t.Logf("%d bytes gzipped", packed.Len())
}
