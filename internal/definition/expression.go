package definition

import (
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/schedule"
)

// expressions are those of one workflow, which together may not take more memory than one document may.
type expressions struct{ size int }

func (x *expressions) check(path, source string) []millrace.Failure {
	if source == "" || x.size > expr.MaxDocument {
		return nil // none, or there are too many, which was said
	}
	program, err := expr.Compile(source)
	if err != nil {
		return []millrace.Failure{expr.FailureOf(path, err)}
	}
	if x.size += program.Size(); x.size > expr.MaxDocument {
		return []millrace.Failure{{Path: path, Message: fmt.Sprintf(
			"with this expression, those of the workflow are larger than %d MiB when they are compiled", expr.MaxDocument>>20)}}
	}
	return expr.CheckCalls(path, program)
}

// CheckCron returns what is wrong with a schedule's expression and time zone; prefix is the path of the object that has them.
func CheckCron(expression, timezone, prefix string) []millrace.Failure {
	_, err := schedule.ParseCron(expression, timezone)
	return millrace.FailuresOf(prefix, err)
}
