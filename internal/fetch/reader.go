package fetch

import (
	"slices"
	"strconv"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
)

// findings collects what is wrong with a config, so that its author sees everything at once.
type findings struct {
	list []millrace.Failure
}

// field is a value of a config together with its path. A missing member is a field whose value is undefined; reading
// one gives the zero value and reports nothing.
type field struct {
	found *findings
	path  string
	value expr.Value
}

func (f field) report(message string) {
	f.found.list = append(f.found.list, millrace.Failure{Path: f.path, Message: message})
}

// present reports whether the field exists and is not null.
func (f field) present() bool { return f.value != nil && !f.isNull() }

func (f field) isNull() bool {
	_, ok := f.value.(expr.Null)
	return ok
}

// get returns the first member that exists under one of the names: the name of the reference, then its aliases.
func (f field) get(names ...string) field {
	out := field{found: f.found, path: f.path + "." + names[0]}
	o, ok := f.value.(*expr.Object)
	if !ok {
		return out
	}
	for _, name := range names {
		if v, ok := o.Get(name); ok {
			out.path, out.value = f.path+"."+name, v
			return out
		}
	}
	return out
}

// object returns the members in order, none when the field is missing or null.
func (f field) object() []field {
	if !f.present() {
		return nil
	}
	o, ok := f.value.(*expr.Object)
	if !ok {
		f.report("must be an object")
		return nil
	}
	members := make([]field, 0, o.Len())
	for key, v := range o.All() {
		members = append(members, field{found: f.found, path: f.path + "." + key, value: v})
	}
	return members
}

// name is the last element of the path of a member.
func (f field) name(parent field) string { return strings.TrimPrefix(f.path, parent.path+".") }

// list returns the items of an array, none when the field is missing or null.
func (f field) list() []field {
	if !f.present() {
		return nil
	}
	a, ok := f.value.(*expr.Array)
	if !ok {
		f.report("must be an array")
		return nil
	}
	items := make([]field, a.Len())
	for i, v := range a.Items() {
		items[i] = field{found: f.found, path: f.path + "[" + strconv.Itoa(i) + "]", value: v}
	}
	return items
}

// text returns a string.
func (f field) text() string {
	if !f.present() {
		return ""
	}
	s, ok := f.value.(string)
	if !ok {
		f.report("must be a string")
	}
	return s
}

// need returns a string that must not be missing.
func (f field) need() string {
	if !f.present() || f.value == "" {
		f.report("Required string is missing")
		return ""
	}
	return f.text()
}

// boolean returns a boolean; the texts "true" and "false" count.
func (f field) boolean() bool {
	switch v := f.value.(type) {
	case nil, expr.Null:
		return false
	case bool:
		return v
	case string:
		if b, err := strconv.ParseBool(v); err == nil {
			return b
		}
	}
	f.report("must be true or false")
	return false
}

// natural returns an integer that is not negative, or fallback when the field is missing. Texts of digits count.
func (f field) natural(fallback int) int {
	n := -1
	switch v := f.value.(type) {
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
		f.report("must be a whole number, not negative")
		return fallback
	}
	return n
}

// oneOf returns a string of a closed set, in lower case, or fallback when the field is missing.
func (f field) oneOf(fallback string, set ...string) string {
	if !f.present() {
		return fallback
	}
	s := strings.ToLower(f.text())
	if slices.Contains(set, s) {
		return s
	}
	if _, ok := f.value.(string); ok {
		f.suggest(s, set, "%q is not one of %s", s, strings.Join(set, ", "))
	}
	return fallback
}

// known reports members that are probably misspelt names of the given set. Other unknown members are left alone:
// configs carry documentation and fields that only other clients read.
func (f field) known(names ...string) {
	o, ok := f.value.(*expr.Object)
	if !ok {
		return
	}
	for _, key := range o.Keys() {
		if slices.Contains(names, key) {
			continue
		}
		if meant := closest(key, names); meant != "" {
			if _, taken := o.Get(meant); !taken {
				field{found: f.found, path: f.path + "." + key}.suggest(key, names, "unknown key")
			}
		}
	}
}

// suggest reports a finding, with the name that was probably meant.
func (f field) suggest(got string, names []string, format string, args ...any) {
	failure := millrace.Invalid(f.path, format, args...).Failures[0]
	if meant := closest(got, names); meant != "" {
		failure.Suggestion = meant
		failure.Message += ", did you mean " + meant + "?"
	}
	f.found.list = append(f.found.list, failure)
}

// reportError reports an error of the expression language with its place.
func (f field) reportError(err error) {
	f.found.list = append(f.found.list, expr.FailureOf(f.path, err))
}

// program compiles an expression, nil when the field is missing.
func (f field) program() *expr.Program {
	src := strings.TrimSpace(f.text())
	if src == "" {
		return nil
	}
	p, err := expr.Compile(f.text())
	if err != nil {
		f.reportError(err)
		return nil
	}
	return p
}

// template compiles a value with placeholders, nil when the field is missing.
func (f field) template() *template {
	if !f.present() {
		return nil
	}
	t, err := newTemplate(f.path, f.value)
	if err != nil {
		f.reportError(err)
		return nil
	}
	return t
}
