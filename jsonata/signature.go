package jsonata

import (
	"strings"

	"github.com/millrace/millrace/jsonata/internal/syntax"
)

// signature checks the arguments of a function.
type signature struct{ params []syntax.Param }

func parseSignature(text string) (*signature, error) {
	sig, err := syntax.ParseSignature(text)
	if err != nil {
		return nil, err
	}
	return &signature{sig.Params}, nil
}

// typeOf returns the type of a value as signatures know it.
func typeOf(v Value) uint16 {
	switch v.(type) {
	case nil:
		return syntax.TypeMissing
	case Null:
		return syntax.TypeNull
	case bool:
		return syntax.TypeBoolean
	case float64:
		return syntax.TypeNumber
	case string:
		return syntax.TypeString
	case *Array:
		return syntax.TypeArray
	case *Function:
		return syntax.TypeFunction
	}
	return syntax.TypeObject
}

// validate returns the arguments as the function wants them: missing ones taken
// from the context, single values wrapped where it expects an array.
func (s *signature) validate(ev *evaluator, args []Value, context Value) ([]Value, error) {
	counts, err := s.match(ev, args)
	if err != nil {
		return nil, err
	}
	if counts == nil {
		return nil, s.mismatch(ev, args)
	}
	out := make([]Value, 0, max(len(s.params), len(args)))
	next := 0
	for i := range s.params {
		p := &s.params[i]
		if counts[i] == 0 && p.Context {
			if typeOf(context)&p.Contexts == 0 {
				return nil, mistyped(p, "T0411", next, context)
			}
			out = append(out, context)
			continue
		}
		if counts[i] == 0 {
			out = append(out, argument(args, next))
			next++
			continue
		}
		for range counts[i] {
			arg, err := convert(p, argument(args, next), counts[i], next)
			if err != nil {
				return nil, err
			}
			out = append(out, arg)
			next++
		}
	}
	return out, nil
}

func argument(args []Value, i int) Value {
	if i < len(args) {
		return args[i]
	}
	return nil
}

func argError(code string, i int, v Value) *Error {
	e := newError(code, v)
	e.Index = i + 1
	return e
}

// matching fits arguments to parameters. Like a regular expression over the
// types it is greedy and backtracks, but it tries no combination twice.
type matching struct {
	ev     *evaluator
	params []syntax.Param
	args   []Value
	prefix bool         // arguments may be left over
	counts []int        // how many arguments each parameter takes
	end    int          // of the arguments taken
	failed map[int]bool // parameter*(len(args)+1) + argument
	err    error        // of a limit
}

// match returns how many arguments each parameter takes, or nil if they do not
// fit. Without an evaluator its work is not limited, which is only for signatures
// that can be trusted.
func (s *signature) match(ev *evaluator, args []Value) ([]int, error) {
	m := &matching{ev: ev, params: s.params, args: args, counts: make([]int, len(s.params))}
	if !m.from(0, 0) {
		return nil, m.err
	}
	return m.counts, nil
}

func (m *matching) from(i, next int) bool {
	if i == len(m.params) {
		m.end = next
		return m.prefix || next == len(m.args)
	}
	key := i*(len(m.args)+1) + next
	if m.failed[key] {
		return false
	}
	p := &m.params[i]
	most := 0
	for next+most < len(m.args) && typeOf(m.args[next+most])&p.Types != 0 && (most == 0 || p.Repeated) {
		most++
	}
	least := 1
	if p.Optional {
		least = 0
	}
	const argsPerStep = 16
	if m.ev != nil && (most > argsPerStep || m.failed != nil) {
		m.err = m.ev.step(1 + most/argsPerStep)
	}
	for n := most; n >= least && m.err == nil; n-- {
		m.counts[i] = n
		if m.from(i+1, next+n) {
			return true
		}
	}
	if m.failed == nil {
		m.failed = make(map[int]bool)
	}
	m.failed[key] = true
	return false
}

// fits checks the arguments of a partial application of a built-in function,
// which takes no missing ones from the context and wraps no single values. What is
// in arrays the function takes as JavaScript does.
func (s *signature) fits(args []Value) error {
	for i, arg := range args {
		if i >= len(s.params) || s.params[i].Repeated {
			break
		}
		p := &s.params[i]
		if arg == nil && p.Optional {
			continue
		}
		_, isArray := arg.(*Array)
		if typeOf(arg)&p.Types == 0 || p.Letter == 'a' && arg != nil && !isArray {
			return mistyped(p, "T0410", i, arg)
		}
	}
	return nil
}

// mismatch returns the error for the first argument that does not fit.
func (s *signature) mismatch(ev *evaluator, args []Value) error {
	good := 0
	var failed *syntax.Param // none, if there are arguments left over
	counts := make([]int, len(s.params))
	for i := range s.params {
		m := &matching{ev: ev, params: s.params[:i+1], args: args, prefix: true, counts: counts}
		if !m.from(0, 0) {
			if m.err != nil {
				return m.err
			}
			failed = &s.params[i]
			break
		}
		if err := ev.step(1); err != nil {
			return err
		}
		good = m.end
	}
	for i, taken := 0, 0; failed == nil && i < len(s.params); i++ {
		if taken == good { // an optional parameter, which the argument does not fit
			failed = &s.params[i]
		}
		taken += counts[i]
	}
	return mistyped(failed, "T0410", good, argument(args, good))
}

// mistyped returns an error that says what a parameter takes.
func mistyped(p *syntax.Param, code string, i int, v Value) error {
	e := argError(code, i, v)
	if p != nil {
		e.expected = expectation(p)
	}
	return e
}

// expectation describes what a parameter takes.
func expectation(p *syntax.Param) string {
	switch p.Letter {
	case 'a':
		if p.Subtype == "" {
			return "an array"
		}
		return "an array of " + subtypes(p.Subtype[0])
	case 'x':
		return "any value"
	case 'j':
		return "anything but a function"
	}
	names := [...]string{"an array", "a string", "a number", "a boolean", "null", "a function", "an object"}
	var all []string
	for i, name := range names {
		if p.Types&(1<<i) != 0 {
			all = append(all, name)
		}
	}
	return strings.Join(all, " or ")
}

// subtypes names what is in an array, by the letter of its type.
func subtypes(letter byte) string {
	switch letter {
	case 's':
		return "strings"
	case 'n':
		return "numbers"
	case 'b':
		return "booleans"
	case 'o':
		return "objects"
	case 'a':
		return "arrays"
	case 'f':
		return "functions"
	}
	return "values of type " + string(rune(letter))
}

// convert checks an argument for an array parameter and wraps a single value.
func convert(p *syntax.Param, arg Value, count, index int) (Value, error) {
	if p.Letter != 'a' || arg == nil {
		return arg, nil
	}
	a, ok := arg.(*Array)
	if p.Typed {
		var want uint16 // none, if the type is empty
		if p.Subtype != "" {
			want, _ = syntax.TypeOfLetter(p.Subtype[0])
		}
		if !ok && (count != 1 || typeOf(arg) != want || len(p.Subtype) != 1) {
			return nil, mistyped(p, "T0412", index, arg)
		}
		if ok && a.count > 0 && want != syntax.TypeNumber {
			return nil, mistyped(p, "T0412", index, arg)
		}
		for i := 0; ok && i < len(a.items); i++ {
			if typeOf(a.items[i]) != want {
				return nil, mistyped(p, "T0412", index, arg)
			}
		}
	}
	if !ok {
		return NewArray(arg), nil
	}
	return arg, nil
}
