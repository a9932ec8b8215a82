package field

import (
	"slices"
	"strconv"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
)

// Findings collects what is wrong with a config, so that its author sees everything at once.
type Findings struct {
	List []millrace.Failure
	Idle []millrace.Failure // what has no effect
}

// Field is a value of a config together with its path. A missing member is a field whose value is undefined; reading
// one gives the zero value and reports nothing.
type Field struct {
	Found *Findings
	Path  string
	Value expr.Value
}

// Report adds a finding about the field.
func (f Field) Report(message string) {
	f.Found.List = append(f.Found.List, millrace.Failure{Path: f.Path, Message: message})
}

// maxIdle bounds the warnings about one document.
const maxIdle = 100

// Idle adds a warning: the field is not wrong, and has no effect.
func (f Field) Idle(message string) {
	if len(f.Found.Idle) < maxIdle {
		f.Found.Idle = append(f.Found.Idle, millrace.Failure{Path: f.Path, Message: message})
	}
}

// Present reports whether the field exists and is not null.
func (f Field) Present() bool { return f.Value != nil && !f.IsNull() }

// IsNull reports whether the field is there and null.
func (f Field) IsNull() bool {
	_, ok := f.Value.(expr.Null)
	return ok
}

// Get returns the first member that exists under one of the names: the name of the reference, then its aliases.
func (f Field) Get(names ...string) Field {
	out := Field{Found: f.Found, Path: f.Path + "." + names[0]}
	o, ok := f.Value.(*expr.Object)
	if !ok {
		return out
	}
	for _, name := range names {
		if v, ok := o.Get(name); ok {
			out.Path, out.Value = f.Path+"."+name, v
			return out
		}
	}
	return out
}

// Members returns the members in order, none when the field is missing or null.
func (f Field) Members() []Field {
	if !f.Present() {
		return nil
	}
	o, ok := f.Value.(*expr.Object)
	if !ok {
		f.Report("must be an object")
		return nil
	}
	members := make([]Field, 0, o.Len())
	for key, v := range o.All() {
		members = append(members, Field{Found: f.Found, Path: f.Path + "." + key, Value: v})
	}
	return members
}

// Name is the last element of the path of a member.
func (f Field) Name(parent Field) string { return strings.TrimPrefix(f.Path, parent.Path+".") }

// List returns the items of an array, none when the field is missing or null.
func (f Field) List() []Field {
	if !f.Present() {
		return nil
	}
	a, ok := f.Value.(*expr.Array)
	if !ok {
		f.Report("must be an array")
		return nil
	}
	items := make([]Field, a.Len())
	for i, v := range a.Items() {
		items[i] = Field{Found: f.Found, Path: f.Path + "[" + strconv.Itoa(i) + "]", Value: v}
	}
	return items
}

// Text returns a string.
func (f Field) Text() string {
	if !f.Present() {
		return ""
	}
	s, ok := f.Value.(string)
	if !ok {
		f.Report("must be a string")
	}
	return s
}

// Need returns a string that must not be missing.
func (f Field) Need() string {
	if !f.Present() || f.Value == "" {
		f.Report("Required string is missing")
		return ""
	}
	return f.Text()
}

// Bool returns a boolean; the texts "true" and "false" count.
func (f Field) Bool() bool {
	switch v := f.Value.(type) {
	case nil, expr.Null:
		return false
	case bool:
		return v
	case string:
		if b, err := strconv.ParseBool(v); err == nil {
			return b
		}
	}
	f.Report("must be true or false")
	return false
}

// Natural returns an integer that is not negative, or fallback when the field is missing. Texts of digits count.
func (f Field) Natural(fallback int) int {
	n := -1
	switch v := f.Value.(type) {
	case nil, expr.Null:
		return fallback
	case float64:
		if v == float64(int(v)) && v < 1<<31 {
			n = int(v)
		}
	case string:
		if parsed, err := strconv.ParseInt(v, 10, 32); err == nil {
			n = int(parsed)
		}
	}
	if n < 0 {
		f.Report("must be a whole number, not negative")
		return fallback
	}
	return n
}

// OneOf returns a string of a closed set, in lower case, or fallback when the field is missing.
func (f Field) OneOf(fallback string, set ...string) string {
	if !f.Present() {
		return fallback
	}
	s := strings.ToLower(f.Text())
	if slices.Contains(set, s) {
		return s
	}
	if _, ok := f.Value.(string); ok {
		f.Suggest(s, set, "%q is not one of %s", s, strings.Join(set, ", "))
	}
	return fallback
}

// Known reports members that are probably misspelt names of the given set. Of other unknown members a warning tells: configs carry
// documentation and fields that only other clients read.
func (f Field) Known(names ...string) {
	o, ok := f.Value.(*expr.Object)
	if !ok {
		return
	}
	for _, key := range o.Keys() {
		if slices.Contains(names, key) {
			continue
		}
		if meant := millrace.Nearest(key, names); meant != "" {
			if _, taken := o.Get(meant); !taken {
				Field{Found: f.Found, Path: f.Path + "." + key}.Suggest(key, names, "unknown key")
				continue
			}
		}
		Field{Found: f.Found, Path: f.Path + "." + key}.Idle("has no effect: it means nothing here")
	}
}

// Suggest reports a finding, with the known name that was probably meant.
func (f Field) Suggest(got string, names []string, format string, args ...any) {
	failure := millrace.Invalid(f.Path, format, args...).Failures[0]
	failure.Suggest(got, names)
	f.Found.List = append(f.Found.List, failure)
}

// ReportError reports an error of the expression language with its place.
func (f Field) ReportError(err error) {
	f.Found.List = append(f.Found.List, expr.FailureOf(f.Path, err))
}

// Program compiles an expression, nil when the field is missing.
func (f Field) Program() *expr.Program {
	src := strings.TrimSpace(f.Text())
	if src == "" {
		return nil
	}
	p, err := expr.Compile(f.Text())
	if err != nil {
		f.ReportError(err)
		return nil
	}
	return p
}

// Template compiles a value with placeholders, nil when the field is missing.
func (f Field) Template() *Template {
	if !f.Present() {
		return nil
	}
	t, err := newTemplate(f.Path, f.Value)
	if err != nil {
		f.ReportError(err)
		return nil
	}
	return t
}
