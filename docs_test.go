package millrace_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

var (
	link     = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	fenced   = regexp.MustCompile("(?s)```.*?```")
	heading  = regexp.MustCompile(`(?m)^#+ +(.*?) *$`)
	makeCall = regexp.MustCompile("(?:^|[`$;] ?|&& )make ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)*)")
	target   = regexp.MustCompile(`(?m)^([a-z][a-z-]*):`)
)

// documents returns the texts of all Markdown files by their path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", "node_modules", "bin", "dist", "testdata"}, d.Name()):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".md"):
			return nil
		}
		text, err := os.ReadFile(name)
		out[filepath.ToSlash(name)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 20 {
		t.Fatalf("found %d documents, want those of the repository", len(out))
	}
	return out
}

// TestLinksOfDocuments follows the links between documents, and from documents to files, with their anchors.
func TestLinksOfDocuments(t *testing.T) {
	t.Parallel()
	docs := documents(t)
	for name, text := range docs {
		for _, m := range link.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
			to, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(to, ":") {
				continue // another site
			}
			file := name
			if to != "" {
				file = path.Join(path.Dir(name), to)
				if _, err := os.Stat(file); err != nil {
					t.Errorf("%s links to %s, which does not exist", name, m[1])
					continue
				}
			}
			if target, ok := docs[file]; ok && anchor != "" && !slices.Contains(anchors(target), anchor) {
				t.Errorf("%s links to %s, and %s has no such heading", name, m[1], file)
			}
		}
	}
}

// anchors returns what the headings of a document are called in links to them.
func anchors(text string) []string {
	var out []string
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		out = append(out, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, m[1]))
	}
	return out
}

// TestMakeTargetsOfDocuments looks up the targets that documents, workflows and scripts name.
func TestMakeTargetsOfDocuments(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	var known []string
	for _, m := range target.FindAllStringSubmatch(string(makefile), -1) {
		known = append(known, m[1])
	}
	named := 0
	for name, text := range documents(t) {
		for line := range strings.Lines(text) {
			for _, m := range makeCall.FindAllStringSubmatch(line, -1) {
				called := m[1]
				if line[strings.Index(line, m[0])] != '`' { // a line of a shell, or prose: the first word only
					called, _, _ = strings.Cut(called, " ")
				}
				for word := range strings.FieldsSeq(called) {
					if named++; !slices.Contains(known, word) {
						t.Errorf("%s: make %s: the Makefile has no target %s", name, called, word)
					}
				}
			}
		}
	}
	if named < 5 {
		t.Errorf("documents name %d targets, want more: does the test still find them?", named)
	}
}

// TestMakefileIsComplete: every target has a text for make help and is no file.
func TestMakefileIsComplete(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	_, phony, _ := strings.Cut(string(makefile), ".PHONY:")
	phony, _, _ = strings.Cut(phony, "\n")
	for line := range strings.Lines(string(makefile)) {
		m := target.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		if !slices.Contains(strings.Fields(phony), m[1]) {
			t.Errorf("the target %s is not in .PHONY", m[1])
		}
		if !strings.Contains(line, "## ") {
			t.Errorf("the target %s has no text for make help", m[1])
		}
	}
}

// TestPaginationFormatsAreComplete reminds of what a new format of pagination needs besides its code: a row in the documentation
// and a provider of the tests that speaks it.
func TestPaginationFormatsAreComplete(t *testing.T) {
	t.Parallel()
	read := func(name string) string {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	formats := regexp.MustCompile(`Format\w+ += "(\w+)"`).FindAllStringSubmatch(read("internal/fetch/page/cursor.go"), -1)
	if len(formats) < 6 {
		t.Fatalf("found %d formats, want those of internal/fetch/page", len(formats))
	}
	page, provider := read("docs/integrations.md"), read("internal/millracetest/provider/page.go")
	for _, m := range formats {
		if !strings.Contains(page, "| `"+m[1]+"` |") {
			t.Errorf("docs/integrations.md has no row for the format %s", m[1])
		}
		if !strings.Contains(provider, `return "`+m[1]+`"`) {
			t.Errorf("the provider of the tests does not speak %s", m[1])
		}
	}
}
