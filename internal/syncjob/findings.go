package syncjob

import (
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
)

// findings collects everything that is wrong with a job, so that one answer shows it all.
type findings struct {
	failures []millrace.Failure
}

func (f *findings) add(failure millrace.Failure) { f.failures = append(f.failures, failure) }

func (f *findings) at(path, format string, args ...any) {
	f.add(millrace.Failure{Path: path, Message: fmt.Sprintf(format, args...)})
}

// expression adds what is wrong with an expression or template at path.
func (f *findings) expression(path string, err error) { f.add(expr.FailureOf(path, err)) }
