package millrace_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/millrace/millrace"

// imports is the whole architecture: for every package of ours, which packages of ours it may import. All may import
// the root, which imports only the standard library. A package without a row fails the test: think before adding one.
var imports = map[string][]string{
	"":                                {},
	"jsonata":                         {"jsonata/internal/jsregexp", "jsonata/internal/picture", "jsonata/internal/syntax"},
	"jsonata/internal/picture":        {},
	"jsonata/internal/jsregexp":       {},
	"jsonata/internal/syntax":         {},
	"internal/expr":                   {"internal/dialect", "internal/dialect/js", "jsonata"},
	"internal/dialect":                {"internal/dialect/js", "internal/dialect/lodash", "internal/dialect/luxon", "internal/dialect/qs", "internal/dialect/xmljs", "jsonata"},
	"internal/dialect/dialecttest":    {"jsonata"},
	"internal/dialect/js":             {"jsonata"},
	"internal/dialect/lodash":         {"internal/dialect/js", "jsonata"},
	"internal/dialect/luxon":          {"internal/dialect/js", "internal/dialect/luxon/calendar", "internal/dialect/luxon/locale", "jsonata"},
	"internal/dialect/luxon/calendar": {},
	"internal/dialect/luxon/locale":   {"internal/dialect/js", "internal/dialect/luxon/calendar", "jsonata"},
	"internal/dialect/qs":             {"internal/dialect/js", "jsonata"},
	"internal/dialect/xmljs":          {"internal/dialect/js", "jsonata"},
	"internal/secret":                 {},
	"internal/store":                  {"internal/store/accounts", "internal/store/deliveries", "internal/store/people", "internal/store/sqldb", "internal/store/syncjobs", "internal/store/table", "internal/store/upkeep", "internal/store/views", "internal/store/workflows"},
	"internal/store/accounts":         {"internal/store/sqldb", "internal/store/table"},
	"internal/store/deliveries":       {"internal/store/sqldb", "internal/store/table", "internal/store/workflows"},
	"internal/store/people":           {"internal/store/sqldb", "internal/store/table"},
	"internal/store/sqldb":            {},
	"internal/store/syncjobs":         {"internal/store/accounts", "internal/store/deliveries", "internal/store/sqldb", "internal/store/table", "internal/store/workflows"},
	"internal/store/table":            {"internal/store/sqldb"},
	"internal/store/upkeep":           {"internal/store/accounts", "internal/store/sqldb", "internal/store/table", "internal/store/workflows"},
	"internal/store/views":            {"internal/store/sqldb", "internal/store/table"},
	"internal/store/workflows":        {"internal/store/sqldb", "internal/store/table"},
	"internal/queue":                  {"internal/store", "internal/trace"},
	"internal/cache":                  {},
	"internal/event":                  {"internal/store", "internal/trace"},
	"internal/event/catalogue":        {"internal/account"},
	"internal/inbound":                {"internal/cache", "internal/event", "internal/expr", "internal/memory", "internal/observe", "internal/secret", "internal/store", "internal/trace", "jsonata"},
	"internal/trigger":                {"internal/expr", "internal/observe", "internal/store", "internal/workflow/control"},
	"internal/workflow":               {"internal/expr", "internal/schedule", "internal/store", "internal/syncjob/start", "internal/trace", "internal/workflow/control", "jsonata"},
	"internal/workflow/control":       {"internal/store"},
	"internal/syncjob":                {"internal/deliver", "internal/event", "internal/expr", "internal/fetch", "internal/memory", "internal/observe", "internal/store", "internal/syncjob/checkpoint", "internal/syncjob/evaluate", "internal/syncjob/plan", "internal/trace", "jsonata"},
	"internal/schedule":               {"internal/dialect/luxon", "internal/event", "internal/store", "internal/syncjob/start"},
	"internal/syncjob/plan":           {"internal/expr", "jsonata"},
	"internal/syncjob/checkpoint":     {"internal/expr", "jsonata"},
	"internal/syncjob/evaluate":       {"internal/expr", "internal/syncjob/checkpoint", "internal/syncjob/plan", "jsonata"},
	"internal/syncjob/start":          {"internal/event", "internal/expr", "internal/store", "internal/syncjob/plan", "internal/trace", "jsonata"},
	"internal/egress":                 {},
	"internal/observe":                {},
	"internal/trace":                  {},
	"internal/account":                {"internal/document", "internal/egress", "internal/event", "internal/expr", "internal/fetch/config", "internal/secret", "internal/store"},
	"internal/provider":               {"internal/account", "internal/cache", "internal/egress", "internal/event", "internal/expr", "internal/fetch", "internal/fetch/config", "internal/fetch/wire", "internal/inbound", "internal/memory", "internal/observe", "internal/schedule", "internal/secret", "internal/store", "internal/syncjob", "jsonata"},
	"internal/grant":                  {"internal/account", "internal/egress", "internal/event", "internal/fetch/config", "internal/oauth", "internal/observe", "internal/provider", "internal/store"},
	"internal/connect":                {"internal/account", "internal/egress", "internal/expr", "internal/fetch/config", "internal/oauth", "internal/provider", "internal/secret", "internal/store"},
	"internal/connect/page":           {"internal/asset", "internal/connect", "internal/form"},
	"internal/form":                   {"internal/account", "internal/cache", "internal/connect", "internal/event", "internal/expr", "internal/fetch/config", "internal/fetch/field", "internal/provider", "internal/secret", "internal/store", "jsonata"},
	"internal/disconnect":             {"internal/account", "internal/egress", "internal/event", "internal/fetch/config", "internal/oauth", "internal/schedule", "internal/store"},
	"internal/memory":                 {},
	"internal/retention":              {"internal/store", "internal/syncjob/start"},
	"internal/document":               {},
	"internal/telemetry":              {"internal/expr", "internal/observe", "internal/queue", "internal/store"},
	"internal/node":                   {"internal/secret", "internal/store"},
	"internal/admin":                  {"internal/node", "internal/people", "internal/retention", "internal/store", "internal/token"},
	"internal/oidc":                   {"internal/secret"},
	"internal/people":                 {"internal/secret", "internal/store"},
	"internal/token":                  {"internal/event", "internal/secret", "internal/store"},
	"internal/fetch/field":            {"internal/expr", "jsonata"},
	"internal/fetch/wire":             {"internal/expr", "jsonata"},
	"internal/fetch/page":             {"internal/expr", "internal/fetch/field", "internal/fetch/wire", "jsonata"},
	"internal/fetch/hook":             {"internal/expr", "internal/fetch/field"},
	"internal/fetch/config":           {"internal/expr", "internal/fetch/field", "internal/fetch/hook", "internal/fetch/page", "internal/fetch/wire", "internal/secret", "internal/sign", "jsonata"},
	"internal/fetch":                  {"internal/egress", "internal/expr", "internal/fetch/config", "internal/fetch/field", "internal/fetch/page", "internal/fetch/wire", "internal/memory", "internal/oauth", "internal/secret", "internal/sign", "jsonata"},
	"internal/oauth":                  {"internal/egress", "internal/expr", "internal/fetch/config", "internal/fetch/field", "internal/fetch/wire", "internal/secret", "internal/sign", "jsonata"},
	"internal/sign":                   {},
	"internal/deliver/notify":         {},
	"internal/deliver":                {"internal/cache", "internal/deliver/notify", "internal/egress", "internal/event", "internal/observe", "internal/secret", "internal/store", "internal/trace"},
	"internal/definition":             {"internal/document", "internal/event/catalogue", "internal/expr", "internal/fetch/config", "internal/schedule", "internal/store", "internal/syncjob/plan"},
	"internal/httpapi/rest":           {"internal/cache", "internal/definition", "internal/document", "internal/memory", "internal/secret", "internal/store"},
	"internal/httpapi/delivery":       {"internal/deliver", "internal/event", "internal/event/catalogue", "internal/httpapi/rest", "internal/secret", "internal/store"},
	"internal/httpapi/proxy":          {"internal/document", "internal/expr", "internal/httpapi/rest", "internal/memory", "internal/provider", "internal/store", "jsonata"},
	"internal/httpapi/work":           {"internal/account", "internal/definition", "internal/event", "internal/event/catalogue", "internal/httpapi/rest", "internal/schedule", "internal/store", "internal/syncjob/start"},
	"internal/httpapi/connection":     {"internal/account", "internal/connect", "internal/definition", "internal/disconnect", "internal/document", "internal/egress", "internal/event", "internal/fetch/config", "internal/httpapi/rest", "internal/inbound", "internal/provider", "internal/secret", "internal/store"},
	"internal/httpapi":                {"internal/account", "internal/deliver", "internal/event", "internal/httpapi/connection", "internal/httpapi/delivery", "internal/httpapi/proxy", "internal/httpapi/rest", "internal/httpapi/work", "internal/inbound", "internal/memory", "internal/provider", "internal/store", "internal/token"},
	"internal/asset":                  {},
	"internal/dashboard":              {"internal/account", "internal/asset", "internal/dashboard/calendar", "internal/dashboard/door", "internal/dashboard/editor", "internal/dashboard/entry", "internal/dashboard/picture", "internal/dashboard/settings", "internal/dashboard/show", "internal/dashboard/steer", "internal/dashboard/timeline", "internal/dashboard/tour", "internal/httpapi/rest", "internal/people", "internal/secret", "internal/store", "internal/store/views", "internal/trigger"},
	"internal/dashboard/calendar":     {"internal/dashboard/picture", "internal/schedule", "internal/store"},
	"internal/dashboard/door":         {"internal/oidc", "internal/people"},
	"internal/dashboard/editor":       {"internal/dashboard/picture", "internal/document", "internal/event/catalogue", "internal/expr", "internal/httpapi/rest", "internal/store", "internal/syncjob/plan", "internal/trigger"},
	"internal/dashboard/entry":        {"internal/store"},
	"internal/dashboard/picture":      {},
	"internal/dashboard/settings":     {"internal/dashboard/editor", "internal/httpapi/rest", "internal/store", "internal/store/views"},
	"internal/dashboard/show":         {"internal/store/views"},
	"internal/dashboard/steer":        {"internal/dashboard/editor", "internal/httpapi/rest", "internal/secret", "internal/store"},
	"internal/dashboard/timeline":     {"internal/dashboard/picture", "internal/dashboard/show", "internal/store/views"},
	"internal/dashboard/tour":         {"internal/store", "internal/store/views"},
	"internal/server":                 {"*"},
	"client":                          {},
	"internal/demo":                   {"client", "examples", "internal/server"},
	"internal/store/storetest":        {"internal/queue", "internal/store"},
	"internal/millracetest":           {"*"},
	"internal/millracetest/provider":  {},
	"internal/millracetest/scenario":  {"internal/document", "internal/millracetest", "internal/millracetest/provider", "internal/store/storetest"},
	"internal/millracetest/tokens":    {},
	"internal/millracetest/trial":     {"internal/millracetest", "internal/millracetest/provider"},
	"internal/realserver":             {},
	"cmd/millrace":                    {"client", "integrations", "integrations/signin", "internal/admin", "internal/dashboard", "internal/demo", "internal/expr", "internal/node", "internal/secret", "internal/server", "internal/store", "jsonata"},
	"internal/release":                {},
	"bench":                           {"*"},
	"examples":                        {},
	"integrations":                    {},
	"integrations/signin":             {},
	"webhook":                         {},
}

// third lists who may import packages that are the business of one place.
var third = map[string][]string{
	"database/sql":                       {"internal/store", "internal/store/sqldb", "internal/queue"},
	"github.com/jackc/pgx/v5":            {"internal/store", "internal/store/sqldb", "internal/store/storetest", "internal/queue", "internal/millracetest"},
	"github.com/riverqueue/river":        {"internal/queue"},
	"github.com/danielgtaylor/huma/v2":   {"internal/httpapi/connection", "internal/httpapi/proxy", "internal/httpapi/rest", "internal/httpapi/work"},
	"modernc.org/sqlite":                 {"internal/store/sqldb"},
	"github.com/coreos/go-oidc/v3":       {"internal/oidc"},
	"golang.org/x/oauth2":                {"internal/oidc"},
	"github.com/go-jose/go-jose/v4":      {"internal/inbound", "internal/sign"},
	"github.com/aws/aws-sdk-go-v2":       {"internal/sign"},
	"github.com/wneessen/go-mail":        {"internal/deliver/notify"},
	"github.com/alexedwards/argon2id":    {"internal/people"},
	"github.com/alecthomas/kong":         {"cmd/millrace"},
	"github.com/hashicorp/golang-lru/v2": {"internal/cache"},
	"github.com/prometheus":              {"internal/telemetry"},
}

type pkg struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Dir,GoFiles,Imports", "./...").Output()
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

// TestImports checks every import of ours against the table, and that no row allows what its package does not use. With -v it
// prints the current table.
func TestImports(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		name, _ := ours(p.ImportPath)
		allowed, known := rowOf(name)
		if !known {
			t.Errorf("package %s has no row in the table of imports", name)
			continue
		}
		var used []string
		for _, imported := range p.Imports {
			if target, is := ours(imported); is {
				used = append(used, target)
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
		for _, may := range allowed {
			if may != "*" && !slices.Contains(used, may) {
				t.Errorf("the row of package %s allows %s, which it does not import", name, may)
			}
		}
		t.Logf("%-32s %s", name, strings.Join(used, " "))
	}
}

// maxMethods bounds the exported methods of a type: one that offers more is several.
const maxMethods = 30

// TestNoTypeOffersTooMuch counts the exported methods of every type, without those of embedded ones.
func TestNoTypeOffersTooMuch(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		methods := map[string]int{}
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, decl := range file.Decls {
				if f, ok := decl.(*ast.FuncDecl); ok && f.Recv != nil && f.Name.IsExported() {
					methods[receiverOf(f.Recv.List[0].Type)]++
				}
			}
		}
		for typ, n := range methods {
			if n > maxMethods {
				t.Errorf("%s.%s has %d exported methods, more than %d", p.ImportPath, typ, n, maxMethods)
			}
		}
	}
}

// maxLines bounds the lines of code of a package, without tests, comments and blank lines.
const maxLines = 2500

// large are the packages that may have more, with the reason in docs/ARCHITECTURE.md.
var large = []string{"jsonata", "internal/dialect/luxon"}

// TestRoomsStaySmall counts the lines of every package.
func TestRoomsStaySmall(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		lines := 0
		for _, name := range p.GoFiles {
			source, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(source)) {
				if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
					lines++
				}
			}
		}
		name, _ := ours(p.ImportPath)
		if small := lines <= maxLines; small == slices.Contains(large, name) {
			t.Errorf("package %s has %d lines; at most %d, unless it is listed as large", name, lines, maxLines)
		}
	}
}

// receiverOf returns the name of the type of a receiver.
func receiverOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiverOf(e.X)
	case *ast.IndexExpr:
		return receiverOf(e.X)
	case *ast.IndexListExpr:
		return receiverOf(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
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
