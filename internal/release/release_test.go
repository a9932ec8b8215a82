package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// made is an archive of two files as one machine would make it, in a directory of its own with files that are older or newer.
func made(t *testing.T, age time.Duration) []byte {
	t.Helper()
	dir := t.TempDir()
	r := release{version: "v1.2.3", time: time.Unix(1_700_000_000, 0), root: dir, out: dir}
	entries := []entry{{"millrace", filepath.Join(dir, "a"), 0o755}, {"LICENSE", filepath.Join(dir, "b"), 0o644}}
	for _, e := range entries {
		if err := os.WriteFile(e.path, []byte("text of "+e.name), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(e.path, time.Time{}, time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.archive("x", entries); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(dir, "x.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestArchivesAreReproducible(t *testing.T) {
	t.Parallel()
	first := made(t, time.Hour)
	if !bytes.Equal(first, made(t, 0)) {
		t.Error("two archives of equal files differ")
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(first))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for r := tar.NewReader(unpacked); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Uname != "" || h.ModTime.Unix() != 1_700_000_000 {
			t.Errorf("%s has the owner %d %q and the time %s", h.Name, h.Uid, h.Uname, h.ModTime)
		}
		got[h.Name+" "+h.FileInfo().Mode().String()] = string(content)
	}
	want := map[string]string{"x/ drwxr-xr-x": "", "x/millrace -rwxr-xr-x": "text of millrace", "x/LICENSE -rw-r--r--": "text of LICENSE"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("content of the archive (-want +got):\n%s", d)
	}
}

func TestBill(t *testing.T) {
	t.Parallel()
	info := &debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Path: "github.com/millrace/millrace"}, Deps: []*debug.Module{
		{Path: "example.com/z", Version: "v2.0.0+incompatible", Sum: "h1:abc="},
		{Path: "example.com/old", Version: "v1.0.0", Replace: &debug.Module{Path: "example.com/new", Version: "v1.0.1"}},
	}}
	r := release{version: "v1.2.3", time: time.Unix(1_700_000_000, 0).UTC()}
	text, err := r.compose(info, strings.Repeat("0", 64), target{"linux", "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	var b bill
	if err := json.Unmarshal(text, &b); err != nil {
		t.Fatal(err)
	}
	if b.Format != "CycloneDX" || b.Metadata.Timestamp != "2023-11-14T22:13:20Z" || len(b.SerialNumber) != len("urn:uuid:")+36 {
		t.Errorf("got the head %q %q %q", b.Format, b.Metadata.Timestamp, b.SerialNumber)
	}
	if got, want := b.Metadata.Component.PURL, "pkg:golang/github.com/millrace/millrace@v1.2.3?goarch=amd64&goos=linux"; got != want {
		t.Errorf("got the program %s, want %s", got, want)
	}
	var refs []string
	for _, c := range b.Components {
		refs = append(refs, c.Ref)
		if c.Name == "" || c.Version == "" || c.PURL == "" {
			t.Errorf("the component %+v is not complete", c)
		}
	}
	want := []string{"pkg:golang/example.com/new@v1.0.1", "pkg:golang/example.com/z@v2.0.0%2Bincompatible", "pkg:golang/std@1.26.8"}
	if d := cmp.Diff(want, refs); d != "" {
		t.Errorf("components (-want +got):\n%s", d)
	}
	if d := cmp.Diff(refs, b.Dependencies[0].DependsOn); d != "" {
		t.Errorf("dependencies (-want +got):\n%s", d)
	}
}

func TestVersionsAndTargets(t *testing.T) {
	t.Parallel()
	r := release{}
	for _, wrong := range []string{"1.2.3", "v", "vx", "v1/2", "v1 2", "v1\n"} {
		if got, err := r.describe(t.Context(), wrong); err == nil {
			t.Errorf("the version %q is accepted as %q", wrong, got)
		}
	}
	if got, err := r.describe(t.Context(), "v1.2.3-rc.1"); err != nil || got != "v1.2.3-rc.1" {
		t.Errorf("got %q and %v for v1.2.3-rc.1", got, err)
	}
	if _, err := only("plan9/386"); err == nil {
		t.Error("a system without releases is accepted")
	}
	if all, err := only(""); err != nil || len(all) != 4 {
		t.Errorf("got %v and %v, want four systems", all, err)
	}
}
