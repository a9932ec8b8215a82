package plan

import (
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// Findings collects all validation failures of a job, so that one response shows them all, and what its expressions and
// templates are, so that what they read can be looked at.
type Findings struct {
	Failures []millrace.Failure
	uses     []use
	owner    int // index of the element that is being compiled
	size     int // of the programs
}

// use is an expression or a template of an element.
type use struct {
	owner    int
	path     string
	program  *expr.Program
	template *expr.Template
}

// Add adds a failure.
func (f *Findings) Add(failure millrace.Failure) { f.Failures = append(f.Failures, failure) }

// At adds that something at a path is wrong.
func (f *Findings) At(path, format string, args ...any) {
	f.Add(millrace.Failure{Path: path, Message: fmt.Sprintf(format, args...)})
}

// unknown adds that a name at path is not one of those that are known.
func (f *Findings) unknown(path, message, name string, known []string) {
	f.Add(unknownName(path, message, name, known))
}

func unknownName(path, message, name string, known []string) millrace.Failure {
	out := millrace.Failure{Path: path, Message: message}
	out.Suggest(name, known)
	return out
}

// compile compiles JSONata at path, or adds what is wrong with it.
func (f *Findings) compile(text, path string) *expr.Program {
	if f.size > expr.MaxDocument {
		return nil // which was said
	}
	program, err := expr.Compile(text)
	if err != nil {
		f.Add(expr.FailureOf(path, err))
		return nil
	}
	if f.size += program.Size(); f.size > expr.MaxDocument {
		f.At(path, "with this expression, those of the job are larger than %d MiB when they are compiled", expr.MaxDocument>>20)
		return nil
	}
	f.uses = append(f.uses, use{owner: f.owner, path: path, program: program})
	return program
}

// parse compiles a template at path, or adds what is wrong with it.
func (f *Findings) parse(v jsonata.Value, path string) *expr.Template {
	template, err := expr.ParseTemplate(v)
	if err != nil {
		f.Add(expr.FailureOf(path, err))
		return nil
	}
	f.uses = append(f.uses, use{owner: f.owner, path: path, template: template})
	return template
}
