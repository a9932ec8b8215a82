package millrace_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What a transaction changes outside of itself stays changed when its commit fails, and memory is then ahead of the rows: a page
// was lost by that. So a function that gets a *store.Tx, as a parameter or in its receiver, assigns to nothing that its caller can see, neither variables that it
// captures nor what its receiver or parameters point to, unless it runs in a View. It returns what it computes, and
// store.Compute hands that out after the commit.
//
// An assignment that is harmless says why: //commit:allow <reason>, at its line or the one above.
func TestTransactionsChangeNothingOutside(t *testing.T) {
	t.Parallel()
	found := examine(t, loadTyped(t, "./..."))
	for _, f := range found {
		t.Error(f)
	}
}

// The check finds what it is for.
func TestTransactionCheckFindsAssignments(t *testing.T) {
	t.Parallel()
	got := examine(t, loadTyped(t, "./testdata/badcommit"))
	for i := range got {
		_, got[i], _ = strings.Cut(got[i], "badcommit.go:")
		got[i], _, _ = strings.Cut(got[i], ":")
	}
	var want []string
	source, err := os.ReadFile("testdata/badcommit/badcommit.go")
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(source), "\n") {
		if strings.Contains(line, "// bad") {
			want = append(want, fmt.Sprint(i+1))
		}
	}
	if got = slices.Compact(got); !slices.Equal(got, want) || len(want) == 0 {
		t.Errorf("found lines %v, want %v", got, want)
	}
}

// typed is a package of ours with its types.
type typed struct {
	path  string
	fset  *token.FileSet
	files []*ast.File
	info  *types.Info
}

// loadTyped type-checks packages of ours from source; what they import comes from the compiler's export data.
func loadTyped(t *testing.T, patterns ...string) []*typed {
	t.Helper()
	args := append([]string{"list", "-export", "-deps", "-json=ImportPath,Export,GoFiles,Dir,DepOnly"}, patterns...)
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	type listed struct {
		ImportPath, Export, Dir string
		GoFiles                 []string
		DepOnly                 bool
	}
	exports := map[string]string{}
	var own []listed
	d := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("decode go list: %v", err)
		}
		exports[p.ImportPath] = p.Export
		if !p.DepOnly {
			own = append(own, p)
		}
	}
	fset := token.NewFileSet()
	compiled := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	var pkgs []*typed
	for _, p := range own {
		pkg := &typed{path: p.ImportPath, fset: fset, info: &types.Info{
			Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}, Types: map[ast.Expr]types.TypeAndValue{},
		}}
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			pkg.files = append(pkg.files, f)
		}
		if _, err := (&types.Config{Importer: compiled}).Check(p.ImportPath, fset, pkg.files, pkg.info); err != nil {
			t.Fatalf("check %s: %v", p.ImportPath, err)
		}
		pkgs = append(pkgs, pkg)
	}
	return pkgs
}

// unit is a function that gets a transaction.
type unit struct {
	pkg   *typed
	node  ast.Node // *ast.FuncLit or *ast.FuncDecl
	body  *ast.BlockStmt
	outer map[types.Object]bool // of a declaration: its receiver and parameters; nil: a literal
	uses  []string              // functions with a transaction that it names
}

// examine returns what is wrong, sorted.
func examine(t *testing.T, pkgs []*typed) []string {
	t.Helper()
	declared := map[string]*unit{}
	var work []*unit
	for _, p := range pkgs {
		for _, f := range p.files {
			literals, decls := p.units(f)
			work = append(work, literals...)
			for name, u := range decls {
				declared[name] = u
				if strings.HasSuffix(name, "Tx") {
					work = append(work, u) // called through interfaces
				}
			}
		}
	}
	var found []string
	seen := map[*unit]bool{}
	for len(work) > 0 {
		u := work[0]
		work = work[1:]
		if seen[u] {
			continue
		}
		seen[u] = true
		found = append(found, u.check()...)
		for _, name := range u.uses {
			if d := declared[name]; d != nil {
				work = append(work, d)
			}
		}
	}
	if len(seen) == 0 {
		t.Fatal("no function with a transaction was found")
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// isTx reports whether a type is a transaction: that of the store, or that of the engine below it.
func isTx(t types.Type) bool {
	name := t.String()
	return name == "*"+module+"/internal/store.Tx" || name == "*"+module+"/internal/store/sqldb.Tx"
}

// isStore reports whether a package is the store or keeps rows for it.
func isStore(path string) bool {
	below, is := strings.CutPrefix(path, module+"/internal/store")
	return is && below != "/storetest"
}

// takesTx reports whether a function gets a transaction, as a parameter or in a field of its receiver.
func takesTx(sig *types.Signature) bool {
	for v := range sig.Params().Variables() {
		if isTx(v.Type()) {
			return true
		}
	}
	if sig.Recv() == nil {
		return false
	}
	t := sig.Recv().Type()
	if pointer, ok := t.(*types.Pointer); ok {
		t = pointer.Elem()
	}
	holder, ok := t.Underlying().(*types.Struct)
	if !ok {
		return false
	}
	for field := range holder.Fields() {
		if isTx(field.Type()) {
			return true
		}
	}
	return false
}

// units returns the literals of a file that get a transaction which may write, and its declarations that get any. Those of the
// store itself fill in rows, which belong to their callers' transactions.
func (p *typed) units(f *ast.File) ([]*unit, map[string]*unit) {
	var literals []*unit
	decls := map[string]*unit{}
	reads := map[*ast.FuncLit]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if s, ok := n.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "View" {
				for _, arg := range n.Args {
					if lit, ok := arg.(*ast.FuncLit); ok {
						reads[lit] = true
					}
				}
			}
		case *ast.FuncLit:
			sig, ok := p.info.Types[n].Type.(*types.Signature)
			if ok && takesTx(sig) && !reads[n] {
				literals = append(literals, &unit{pkg: p, node: n, body: n.Body, uses: p.txFuncs(n.Body)})
			}
		case *ast.FuncDecl:
			fn, ok := p.info.Defs[n.Name].(*types.Func)
			if !ok || n.Body == nil || isStore(p.path) || !takesTx(fn.Signature()) {
				return true
			}
			outer := map[types.Object]bool{fn.Signature().Recv(): true}
			for v := range fn.Signature().Params().Variables() {
				outer[v] = true
			}
			decls[fn.FullName()] = &unit{pkg: p, node: n, body: n.Body, outer: outer, uses: p.txFuncs(n.Body)}
		}
		return true
	})
	return literals, decls
}

// txFuncs returns the functions with a transaction that a body names.
func (p *typed) txFuncs(body ast.Node) []string {
	names := map[string]bool{}
	ast.Inspect(body, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			if fn, ok := p.info.Uses[id].(*types.Func); ok && takesTx(fn.Signature()) {
				names[fn.FullName()] = true
			}
		}
		return true
	})
	return slices.Sorted(maps.Keys(names))
}

// check returns the assignments of a unit that others can see.
func (u *unit) check() []string {
	var found []string
	aliases := map[types.Object]bool{}
	report := func(at ast.Node, what ast.Expr) {
		if !u.allowed(at.Pos()) {
			found = append(found, fmt.Sprintf("%s: a transaction changes %s, which is outside of it; return it and use store.Compute, or say //commit:allow and why",
				u.pkg.fset.Position(at.Pos()), types.ExprString(what)))
		}
	}
	written := func(at ast.Node, to ast.Expr) {
		if u.outside(to, aliases) {
			report(at, to)
		}
	}
	ast.Inspect(u.body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if s, ok := n.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "AfterCommit" {
				return false // runs after it
			}
			if id, ok := n.Fun.(*ast.Ident); ok && len(n.Args) > 0 && slices.Contains([]string{"delete", "clear", "copy"}, id.Name) {
				written(n, &ast.StarExpr{X: n.Args[0]})
			}
		case *ast.SendStmt:
			report(n, n.Chan)
		case *ast.IncDecStmt:
			written(n, n.X)
		case *ast.RangeStmt:
			if n.Tok == token.ASSIGN {
				written(n, n.Key)
			}
			u.alias(n.Value, n.X, aliases)
		case *ast.AssignStmt:
			for i, to := range n.Lhs {
				if n.Tok != token.DEFINE {
					written(n, to)
				}
				if len(n.Lhs) == len(n.Rhs) {
					u.alias(to, n.Rhs[i], aliases)
				}
			}
		}
		return true
	})
	return found
}

// outside reports whether an assignment changes what others see.
func (u *unit) outside(to ast.Expr, aliases map[types.Object]bool) bool {
	root, through := rootOf(to)
	v, ok := u.pkg.objectOf(root).(*types.Var)
	if !ok {
		return false
	}
	if aliases[v] {
		return through
	}
	if u.outer != nil {
		return u.outer[v] && through && refers(v.Type()) || v.Parent() == v.Pkg().Scope()
	}
	return v.Pos() < u.node.Pos() || v.Pos() >= u.node.End()
}

// alias remembers a variable that points to what is outside.
func (u *unit) alias(to, from ast.Expr, aliases map[types.Object]bool) {
	id, ok := to.(*ast.Ident)
	if !ok || from == nil {
		return
	}
	v := u.pkg.objectOf(id)
	if v == nil || !refers(v.Type()) {
		return
	}
	if ref, ok := from.(*ast.UnaryExpr); ok && ref.Op == token.AND {
		from = ref.X
	}
	switch from.(type) {
	case *ast.Ident, *ast.SelectorExpr, *ast.IndexExpr, *ast.StarExpr, *ast.ParenExpr:
		if u.outside(&ast.StarExpr{X: from}, aliases) {
			aliases[v] = true
		}
	}
}

// refers reports whether values of a type share what they hold.
func refers(t types.Type) bool {
	switch t.Underlying().(type) {
	case *types.Pointer, *types.Map, *types.Slice:
		return true
	}
	return false
}

// rootOf returns the variable that an expression begins with, and whether the expression is more than that.
func rootOf(e ast.Expr) (*ast.Ident, bool) {
	through := false
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x, through
		case *ast.SelectorExpr:
			e, through = x.X, true
		case *ast.IndexExpr:
			e, through = x.X, true
		case *ast.StarExpr:
			e, through = x.X, true
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil, through
		}
	}
}

func (p *typed) objectOf(id *ast.Ident) types.Object {
	if id == nil {
		return nil
	}
	if o := p.info.Uses[id]; o != nil {
		return o
	}
	return p.info.Defs[id]
}

var allowance = regexp.MustCompile(`^//commit:allow [a-zA-Z]`)

// allowed reports whether a comment at the line, or alone on the one above, allows what stands there.
func (u *unit) allowed(at token.Pos) bool {
	line := u.pkg.fset.Position(at)
	for _, f := range u.pkg.files {
		if f.FileStart > at || f.FileEnd < at {
			continue
		}
		for _, group := range f.Comments {
			for _, c := range group.List {
				n := u.pkg.fset.Position(c.Pos()).Line
				if (n == line.Line || n == line.Line-1) && allowance.MatchString(c.Text) {
					return true
				}
			}
		}
	}
	return false
}
