package expr

import (
	"context"
	"sync"

	"github.com/millrace/millrace/internal/dialect"
	"github.com/millrace/millrace/jsonata"
)

// programs belongs to the process: a compiled expression depends on nothing but its source.
var programs = sync.OnceValue(newProgramCache) //nolint:gochecknoglobals // bounded, shared by all callers

// Dialect returns JSONata's functions together with those of the dialect, which replace some of them.
func Dialect() *jsonata.Library { return dialect.Library() }

// Program is a compiled expression of the dialect. It may be evaluated by any number of goroutines.
type Program struct {
	program *jsonata.Program
}

// Compile compiles an expression, or returns the program that was compiled from the same source before. An
// error is an [*Error] and says where in the source the mistake is.
func Compile(src string) (*Program, error) {
	return programs().get(src, func() (*Program, error) {
		program, err := Dialect().Compile(src)
		if err != nil {
			return nil, err
		}
		return &Program{program: program}, nil
	})
}

// String returns the source.
func (p *Program) String() string { return p.program.String() }

// Analyzer tells what the programs of a document read, as far as that can be known without running them. All programs of
// one analyzer share one budget of time and memory.
type Analyzer struct {
	analyzer *jsonata.Analyzer
}

// NewAnalyzer returns an analyzer for what is being saved. Its time begins now.
func NewAnalyzer(ctx context.Context) *Analyzer { return &Analyzer{jsonata.NewAnalyzer(ctx)} }

// Analyze inspects a program. The result says so if there was no time to look at all of it.
func (a *Analyzer) Analyze(p *Program) *jsonata.Analysis { return a.analyzer.Analyze(p.program) }

// Spend takes n steps for what the caller does with the analyses, and tells whether it may go on.
func (a *Analyzer) Spend(n int) bool { return a.analyzer.Spend(n) }

// MaxDocument is how much memory the expressions of one document, a workflow or a sync job, may take when they are
// compiled, by [Program.Size].
const MaxDocument = 16 << 20

// Size returns roughly how many bytes of memory the program takes.
func (p *Program) Size() int { return p.program.Size() }

// Eval evaluates the program with scope as its document. An error is an [*Error] with the place in the source; its
// IsLimit method tells whether a limit or the context stopped the evaluation.
func (p *Program) Eval(ctx context.Context, scope Value, limits Limits) (Value, error) {
	return p.EvalInput(ctx, Input{Data: scope, Limits: limits})
}

// EvalInput is Eval for callers that also bind variables or set the clock. Without limits, those of a condition apply.
func (p *Program) EvalInput(ctx context.Context, in Input) (Value, error) {
	if in.Limits == (Limits{}) {
		in.Limits = LimitsCondition()
	}
	return p.program.Eval(ctx, in)
}

// Test evaluates the program as a condition.
func (p *Program) Test(ctx context.Context, scope Value) (bool, error) {
	v, err := p.Eval(ctx, scope, LimitsCondition())
	if err != nil {
		return false, err
	}
	return Truthy(v), nil
}

// Truthy tells whether a condition with this result holds. It is JSONata's $boolean: empty text, zero, null, nothing,
// empty arrays and objects, and arrays without a true item do not hold.
func Truthy(v Value) bool { return jsonata.Boolean(v) }
