package jsonata

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace/jsonata/internal/syntax"
)

// Place is a place in the source of a program.
type Place struct {
	Offset int // in bytes
	Line   int // from 1
	Column int // from 1, in characters
}

// Read is a path of the input that a program reads. Arrays have no place in it,
// because a path goes through them: items.price is the price of every item.
// The name * stands for any member, and ** for anything below.
type Read struct {
	Path  []string
	Place Place // where the path begins
}

// String returns the path with dots. The whole input is $.
func (r Read) String() string {
	if len(r.Path) == 0 {
		return "$"
	}
	return strings.Join(r.Path, ".")
}

// Use is the use of a function or a variable.
type Use struct {
	Name  string
	Place Place
}

// Gap is a place where the analysis cannot tell what is read.
type Gap struct {
	Reason string
	Place  Place
}

// Shape describes a result.
type Shape struct {
	// Types are what the value may be, sorted: array, boolean, function, null,
	// number, object, string, undefined; or any.
	Types []string
	// Sources are the input paths the value, or one of its parts, is taken from
	// unchanged.
	Sources []string
	// Constant is the value, if it is a constant string, number, boolean or null.
	Constant Value
	// Keys are the members of an object constructor with constant keys.
	Keys []KeyShape
	// Items is what an array constructor or a path collects.
	Items *Shape
}

// KeyShape describes a member of a result.
type KeyShape struct {
	Key   string
	Value *Shape
	Place Place
}

// Analysis says what a program reads, what it uses and what it returns, as far as
// that can be known without running it. It follows paths through variables,
// blocks, conditions and calls of lambdas, and through the higher-order functions.
//
// Its size is bounded, whatever the program: see Incomplete.
type Analysis struct {
	Reads     []Read // sorted by path, each path once, at its first place
	Functions []Use  // of the library, each once
	Variables []Use  // that the caller of Eval has to bind, each once
	// Deterministic is false if the result may differ for the same input: the
	// program uses $random, $now or another volatile function.
	Deterministic bool
	// Gaps are the places where Reads may miss something.
	Gaps []Gap
	// Incomplete says why the program was not analysed further, and is empty if all
	// of it was. Without gaps, and if it is empty, Reads is complete.
	Incomplete string
	Result     *Shape
}

// Bounds of one analysis. They are far beyond what people write and keep it below 16 MiB.
const (
	// AnalysisTimeout is how long an analysis may take.
	AnalysisTimeout = 50 * time.Millisecond

	maxAnalysis  = 60_000  // steps: nodes, and parts of values that are visited
	maxTreeDepth = 3_000   // of the nodes that are being visited
	maxFound     = 2_000   // reads, gaps, uses, and the parts of the result, each
	maxPathText  = 1 << 20 // bytes of all paths
)

// Analyze inspects a program. It ends early, and says so, when the context ends, after [AnalysisTimeout], or when the
// program is too large to be analysed.
func Analyze(ctx context.Context, p *Program) *Analysis { return NewAnalyzer(ctx).Analyze(p) }

// Analyzer inspects programs that belong together, such as all those of a document that is being saved. What [Analyze] may
// take for one, they may take together. It is not for concurrent use.
type Analyzer struct {
	ctx      context.Context //nolint:containedctx // it lives as long as what is being saved
	deadline time.Time
	work     int
}

// NewAnalyzer returns an analyzer whose time begins now.
func NewAnalyzer(ctx context.Context) *Analyzer {
	return &Analyzer{ctx: ctx, deadline: time.Now().Add(AnalysisTimeout)} //nolint:forbidigo // a deadline is real time
}

// Analyze inspects one more program.
func (l *Analyzer) Analyze(p *Program) *Analysis {
	a := newAnalyzer(l, p)
	const perStep = 16 // bytes of source that are parsed in the time of a step
	if !a.spend(1 + len(p.src)/perStep) {
		a.out.Result = a.shape(a.any(), 0)
		return a.out
	}
	tree, err := syntax.Parse(p.src)
	if err != nil { // which is not possible, because it was compiled
		a.stop(err.Error())
	}
	result := a.expr(tree, a.root, &vars{})
	a.consume(result)
	a.out.Result = a.shape(result, 0)
	slices.SortFunc(a.out.Reads, func(x, y Read) int { return slices.Compare(x.Path, y.Path) })
	return a.out
}

// Spend takes n steps for what the caller makes of the analyses, a step being about a tenth of a microsecond, and tells
// whether there is something left.
func (l *Analyzer) Spend(n int) bool { return l.spend(n) == "" }

// spend takes n steps and tells whether there is something left, or why not.
func (l *Analyzer) spend(n int) string {
	const look = 256 // steps between two checks of the clock and the context
	before := l.work
	l.work += n
	switch {
	case l.work > maxAnalysis:
		return "it is too complex to follow"
	case before/look != l.work/look && (l.ctx.Err() != nil || time.Now().After(l.deadline)): //nolint:forbidigo // a deadline is real time
		return "the time for the analysis was over"
	}
	return ""
}

// analyzer evaluates the tree on what is known about values. A value is known by its address, so that what is shared in
// the program is analysed once.
type analyzer struct {
	limits *Analyzer
	prog   *Program
	out    *Analysis
	places places
	root   *known
	depth  int // of nodes
	calls  int // of lambdas that are being followed
	text   int // bytes of paths

	described int // parts of the result

	paths  map[pathKey]*inputPath
	plain  map[types]*known
	funcs  map[*Function]*known
	parts  map[partKey]*known
	joined map[[2]*known]*known
	called map[callKey]*known
	uses   map[string]bool
	gaps   map[Gap]bool
}

func newAnalyzer(l *Analyzer, p *Program) *analyzer {
	a := &analyzer{
		limits: l, prog: p, out: &Analysis{Deterministic: true}, places: places{src: p.src},
		paths: map[pathKey]*inputPath{}, plain: map[types]*known{}, funcs: map[*Function]*known{}, parts: map[partKey]*known{},
		joined: map[[2]*known]*known{}, called: map[callKey]*known{}, uses: map[string]bool{}, gaps: map[Gap]bool{},
	}
	a.root = &known{types: typeAny, refs: []ref{{path: &inputPath{}}}}
	return a
}

// spend takes n steps and tells whether the analysis goes on.
func (a *analyzer) spend(n int) bool {
	if reason := a.limits.spend(n); reason != "" {
		a.stop(reason)
	}
	return a.out.Incomplete == ""
}

// stop ends the analysis: nodes that have not been visited yet are skipped.
func (a *analyzer) stop(reason string) {
	if a.out.Incomplete == "" {
		a.out.Incomplete = reason
	}
}

func (a *analyzer) gap(reason string, pos int) {
	g := Gap{reason, a.places.at(pos)}
	if !a.gaps[g] && a.room(len(a.out.Gaps)) {
		a.gaps[g] = true
		a.out.Gaps = append(a.out.Gaps, g)
	}
}

// room tells whether a list of the analysis may grow beyond n.
func (a *analyzer) room(n int) bool {
	if n >= maxFound {
		a.stop("it has too much to list")
		return false
	}
	return true
}

// consume notes that a value is used for more than finding a path.
func (a *analyzer) consume(v *known) {
	if v == nil || v.consumed || !a.spend(1+len(v.refs)+len(v.keys)) {
		return
	}
	v.consumed = true
	for _, r := range v.refs {
		a.read(r)
	}
	for _, k := range v.keys {
		a.consume(k.value)
	}
	a.consume(v.items)
	if v.lambda != nil && !v.used {
		v.used = true
		a.consume(a.invoke(v, nil))
	}
}

func (a *analyzer) read(r ref) {
	if r.path.read || !a.room(len(a.out.Reads)) {
		return
	}
	names := r.path.names()
	for _, n := range names {
		a.text += len(n) + 1
	}
	if a.text > maxPathText {
		a.stop("it has too much to list")
		return
	}
	r.path.read = true
	a.out.Reads = append(a.out.Reads, Read{names, a.places.at(r.pos)})
}

// use notes a function or a variable. Their names differ by the list, so one set serves both.
func (a *analyzer) use(list *[]Use, name string, pos int) {
	if !a.uses[name] && a.room(len(*list)) {
		a.uses[name] = true
		*list = append(*list, Use{name, a.places.at(pos)})
	}
}
