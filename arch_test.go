package millrace_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/millrace/millrace"

// imports is the whole architecture: for every package of ours, which packages of ours it may import. All may import
// the root, which imports only the standard library. A package without a row fails the test: think before adding one.
var imports = map[string][]string{
	"":                                {},
	"jsonata":                         {"jsonata/internal/picture", "jsonata/internal/jsregexp", "jsonata/internal/syntax"},
	"jsonata/internal/picture":        {},
	"jsonata/internal/jsregexp":       {},
	"jsonata/internal/syntax":         {"jsonata/internal/jsregexp"},
	"internal/expr":                   {"jsonata", "internal/dialect", "internal/dialect/js", "internal/dialect/luxon"},
	"internal/dialect":                {"jsonata", "internal/dialect/js", "internal/dialect/lodash", "internal/dialect/luxon", "internal/dialect/qs", "internal/dialect/xmljs"},
	"internal/dialect/dialecttest":    {"jsonata"},
	"internal/dialect/js":             {"jsonata"},
	"internal/dialect/lodash":         {"jsonata", "internal/dialect/js"},
	"internal/dialect/luxon":          {"jsonata", "internal/dialect/js", "internal/dialect/luxon/calendar", "internal/dialect/luxon/locale"},
	"internal/dialect/luxon/calendar": {},
	"internal/dialect/luxon/locale":   {"jsonata", "internal/dialect/js", "internal/dialect/luxon/calendar"},
	"internal/dialect/qs":             {"jsonata", "internal/dialect/js"},
	"internal/dialect/xmljs":          {"jsonata", "internal/dialect/js"},
	"internal/secret":                 {},
	"internal/store":                  {},
	"internal/queue":                  {"internal/store"},
	"internal/event":                  {"internal/store"},
	"internal/inbound":                {"internal/event", "internal/store", "internal/expr", "internal/memory", "internal/secret", "jsonata"},
	"internal/trigger":                {"internal/store", "internal/expr"},
	"internal/workflow":               {"internal/store", "internal/expr", "jsonata"},
	"internal/syncjob":                {"internal/store", "internal/expr", "internal/memory", "jsonata"},
	"internal/egress":                 {},
	"internal/memory":                 {},
	"internal/retention":              {"internal/store", "internal/syncjob"},
	"internal/document":               {},
	"internal/telemetry":              {"internal/deliver", "internal/expr", "internal/queue", "internal/store"},
	"internal/node":                   {"internal/store"},
	"internal/fetch":                  {"internal/expr", "internal/memory", "internal/egress", "internal/secret", "jsonata"},
	"internal/deliver":                {"internal/store", "internal/expr", "internal/egress", "internal/secret"},
	"internal/httpapi":                {"internal/document", "internal/store", "internal/expr", "internal/event", "internal/memory", "internal/secret", "jsonata"},
	"internal/server":                 {"*"},
	"internal/demo":                   {"internal/server", "examples"},
	"internal/store/storetest":        {"internal/queue", "internal/store"},
	"internal/millracetest":           {"*"},
	"internal/realserver":             {},
	"cmd/millrace":                    {"internal/server", "internal/demo", "internal/expr", "integrations", "jsonata"},
	"bench":                           {"*"},
	"examples":                        {},
	"integrations":                    {},
	"webhook":                         {},
}

// third lists who may import packages that are the business of one place.
var third = map[string][]string{
	"database/sql":                     {"internal/store", "internal/queue"},
	"github.com/jackc/pgx/v5":          {"internal/store", "internal/store/storetest", "internal/queue", "internal/millracetest"},
	"github.com/riverqueue/river":      {"internal/queue"},
	"github.com/danielgtaylor/huma/v2": {"internal/httpapi"},
	"modernc.org/sqlite":               {"internal/store"},
	"github.com/go-jose/go-jose/v4":    {"internal/inbound"},
	"github.com/wneessen/go-mail":      {"internal/deliver"},
	"github.com/alecthomas/kong":       {"cmd/millrace"},
	"github.com/prometheus":            {"internal/telemetry"},
}

type pkg struct {
	ImportPath string
	Imports    []string
	Standard   bool
}

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,Standard", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var pkgs []pkg
	d := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p pkg
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return pkgs
		}
		if err != nil {
			t.Fatalf("decode go list: %v", err)
		}
		pkgs = append(pkgs, p)
	}
}

func ours(importPath string) (string, bool) {
	if importPath == module {
		return "", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

func TestImports(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		name, _ := ours(p.ImportPath)
		allowed, known := rowOf(name)
		if !known {
			t.Errorf("package %s has no row in the table of imports", name)
			continue
		}
		for _, imported := range p.Imports {
			if target, is := ours(imported); is {
				if target != "" && !slices.Contains(allowed, target) && !slices.Contains(allowed, "*") {
					t.Errorf("package %s imports %s, which its row does not allow", name, target)
				}
				continue
			}
			checkThird(t, name, imported)
			if name == "" && strings.Contains(imported, ".") {
				t.Errorf("the root imports %s; it may import only the standard library", imported)
			}
		}
	}
}

// rowOf finds the row of a package; a folder below bench has that of bench.
func rowOf(name string) ([]string, bool) {
	for n := name; ; n = path.Dir(n) {
		if allowed, ok := imports[n]; ok && (n == name || n == "bench") {
			return allowed, true
		}
		if !strings.Contains(n, "/") {
			return nil, false
		}
	}
}

func checkThird(t *testing.T, name, imported string) {
	t.Helper()
	for prefix, owners := range third {
		if (imported == prefix || strings.HasPrefix(imported, prefix+"/")) && !slices.Contains(owners, name) && !strings.HasPrefix(name, "bench") {
			t.Errorf("package %s imports %s, which is the business of %s", name, imported, strings.Join(owners, ", "))
		}
	}
}
