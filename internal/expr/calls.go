package expr

import (
	"slices"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dialect"
)

// evalFunction runs source that is not known before, which may define functions.
const evalFunction = "eval"

// CheckCalls returns the calls of a program that can never work: of functions that nothing defines, or that this server
// does not have. The program stands at path of what is being saved. It tells nothing of programs that evaluate source.
func CheckCalls(path string, p *Program) []millrace.Failure {
	calls := p.program.Calls()
	known := Dialect().Names()
	var out []millrace.Failure
	for _, c := range calls {
		f := millrace.Failure{Path: path, Line: c.Place.Line, Column: c.Place.Column, Offset: new(c.Place.Offset)}
		switch _, exists := slices.BinarySearch(known, c.Name); {
		case c.Name == evalFunction:
			return nil
		case slices.Contains(dialect.Unavailable(), c.Name):
			f.Code, f.Message = dialect.CodeUnsupported, "the function $"+c.Name+" is not available in this server"
		case !exists:
			f.Code, f.Message = CodeNoFunction, "there is no function $"+c.Name
			f.Suggest(c.Name, known)
		default:
			continue
		}
		out = append(out, f)
	}
	return out
}

// CodeNoFunction is JSONata's code for the call of what is no function.
const CodeNoFunction = "T1006"
