package jsonata

import (
	"strconv"
	"strings"
)

// message returns the text of an error. In the templates %t is the token, %f the function that the token names, %v the
// value, %i the argument's number and %e what it must be.
func message(e *Error) string {
	return e.filled(e.Token, show(e.Value))
}

// filled fills in the template of the error's code.
func (e *Error) filled(token, value string) string {
	text := syntaxMessage(e.Code)
	if text == "" && e.expected == "" {
		text = unexpectedMessage(e.Code)
	}
	if text == "" {
		text = typeMessage(e.Code)
	}
	if text == "" {
		text = valueMessage(e.Code)
	}
	if text == "" {
		return "the expression failed"
	}
	return strings.NewReplacer("%t", showToken(token), "%f", functionName(token), "%v", value, "%i", strconv.Itoa(e.Index), "%e", e.expected).Replace(text)
}

// unexpectedMessage is about arguments of which no signature says what they must be.
func unexpectedMessage(code string) string {
	switch code {
	case "T0410":
		return "%f takes no argument %i: %v"
	case "T0412":
		return "argument %i of %f is an array with items of the wrong type"
	}
	return ""
}

// functionName returns a function as written. It has no name on the right of ~>.
func functionName(token string) string {
	switch token {
	case "~>":
		return "the function on the right of ~>"
	case "":
		return "the function"
	}
	return "$" + showToken(token)
}

// showToken prints a piece of the source on one line, cut short.
func showToken(token string) string {
	const most = 40
	if text := []rune(token); len(text) > most {
		token = string(text[:most]) + "…"
	}
	if strings.ContainsFunc(token, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(token)
	}
	return token
}

// show prints a value for a message, cut short.
func show(v Value) string {
	const most = 60
	switch n := v.(type) {
	case nil:
		return "undefined"
	case *Function:
		return "a function"
	case int:
		return strconv.Itoa(n)
	case float64:
		return FormatNumber(n)
	case string:
		if len(n) > 8*most { // what is cut off below need not be quoted first
			v = n[:skipRunes(n, 2*most)]
		}
	case *Array:
		if n.Len() > most {
			return "an array of " + strconv.Itoa(n.Len()) + " items"
		}
	}
	e := encoder{text: true, ev: &evaluator{limits: Limits{Output: 4096}, steps: 10_000}}
	if err := e.value(v, 0); err != nil && len(e.buf) == 0 {
		return "a value"
	}
	text := []rune(string(e.buf))
	if len(text) > most {
		return string(text[:most]) + "…"
	}
	return string(text)
}

func syntaxMessage(code string) string {
	switch code {
	case "S0101":
		return "this string has no closing quote"
	case "S0102":
		return "the number %t is too large"
	case "S0103":
		return `\%t is not an escape sequence`
	case "S0104":
		return `\u needs four hexadecimal digits`
	case "S0105":
		return "this quoted name has no closing backquote"
	case "S0106":
		return "this comment is not closed with */"
	case "S0201":
		return "%t is not allowed here"
	case "S0202":
		return "expected %v but found %t"
	case "S0203":
		return "the expression ends where %v is expected"
	case "S0204":
		return "%t is not an operator"
	case "S0206":
		return "%t is not an expression"
	case "S0207":
		return "the expression ends too early"
	case "S0208":
		return "a parameter must be a variable such as $x, not %t"
	case "S0209":
		return "a predicate must come before the group-by clause"
	case "S0210":
		return "a step can have one group-by clause only"
	case "S0211":
		return "%t needs an operand on its left"
	case "S0212":
		return "only a variable such as $x can be on the left of :="
	case "S0213":
		return "%t cannot be a step of a path"
	case "S0214":
		return "%t must be followed by a variable such as $x"
	case "S0215":
		return "@ must come before the predicates of its step"
	case "S0216":
		return "@ must come before the order-by clause of its step"
	case "S0217":
		return "the parent that % refers to cannot be determined"
	case "S0301":
		return "a regular expression cannot be empty"
	case "S0302":
		return "this regular expression has no closing slash"
	case "S0303":
		return "malformed regular expression: %v"
	case "S0401":
		return "only arrays and functions can have a type parameter in a signature"
	case "S0402":
		return "a choice in a signature cannot contain type parameters"
	}
	return ""
}

func typeMessage(code string) string {
	switch code {
	case "T0410":
		return "argument %i of %f must be %e, not %v"
	case "T0411":
		return "the context item cannot be argument %i of %f, which must be %e, not %v"
	case "T0412":
		return "argument %i of %f must be %e, not %v"
	case "T1003":
		return "the key of an object must be a string, not %v"
	case "T1005":
		return "%t is not a function; did you mean $%t?"
	case "T1006":
		return "%t is not a function but %v"
	case "T1007":
		return "%t cannot be applied partially because it is not a function; did you mean $%t?"
	case "T1008":
		return "%t cannot be applied partially because it is not a function"
	case "T1010":
		return "the function passed to $%t does not return a match"
	case "T2001":
		return "the left side of %t must be a number, not %v"
	case "T2002":
		return "the right side of %t must be a number, not %v"
	case "T2003":
		return "a range must start with an integer, not %v"
	case "T2004":
		return "a range must end with an integer, not %v"
	case "T2006":
		return "the right side of ~> must be a function, not %v"
	case "T2007":
		return "numbers and strings cannot be sorted together"
	case "T2008":
		return "only numbers and strings can be sorted, not %v"
	case "T2009":
		return "%t cannot compare a number with a string"
	case "T2010":
		return "%t compares numbers and strings only, not %v"
	case "T2011":
		return "the second part of a transform must be an object, not %v"
	case "T2012":
		return "the third part of a transform must be a string or an array of strings, not %v"
	case "T2013":
		return "a transform needs $clone, which is not a function here"
	}
	return ""
}

func valueMessage(code string) string {
	switch code {
	case "D1001":
		return "the number %v is out of range"
	case "D1002":
		return "%v cannot be negated because it is not a number"
	case "D1004":
		return "the regular expression matches an empty string"
	case "D1009":
		return "two key expressions give the key %v"
	case CodeDepth:
		return "nested deeper than the limit of %v"
	case CodeTimeout:
		return "took longer than the limit of %v"
	case "D1013":
		return "the key %v is reserved"
	case "D2014":
		return "a range of %v items is too large"
	case CodeSequence:
		return "a sequence has more items than the limit of %v"
	case CodeSteps:
		return "took more steps than the limit of %v"
	case CodeOutput:
		return "built values larger than the limit of %v bytes"
	case CodeCancelled:
		return "stopped: %v"
	case CodeSize:
		return "the expression is too large: it has more than %t"
	case "D3001":
		return "an infinite number cannot be converted to a string"
	case "D3010":
		return "$replace cannot search for an empty string"
	case "D3011":
		return "the limit of $replace must not be negative: %v"
	case "D3012":
		return "the replacement must be a string, not %v"
	case "D3020":
		return "the limit of $split must not be negative: %v"
	case "D3030":
		return "%v cannot be converted to a number"
	case "D3040":
		return "the limit of $match must not be negative: %v"
	case "D3050":
		return "the function of $reduce must have at least two parameters"
	case "D3060":
		return "there is no square root of %v"
	case "D3061":
		return "the power of %v is too large"
	case "D3070":
		return "$sort without a function needs an array of numbers or of strings"
	case "D3110":
		return "%v is not a time in ISO 8601"
	case "D3120":
		return "syntax error in $eval: %v"
	case "D3121":
		return "error in $eval: %v"
	case "D3137":
		return "$error() function evaluated"
	case "D3138":
		return "$single found more than one match"
	case "D3139":
		return "$single found no match"
	case "D3140":
		return "Malformed URL passed to $%t(): %v"
	case "D3141":
		return "$assert() statement failed"
	}
	return pictureMessage(code)
}

func pictureMessage(code string) string {
	switch {
	case code == "D3100":
		return "the base must be between 2 and 36, not %v"
	case code >= "D3080" && code <= "D3093":
		return "malformed picture for a number: %v"
	case code == "D3130" || code == "D3131":
		return "this picture of an integer is not supported: %v"
	case code >= "D3132" && code <= "D3136":
		return "this picture of a time cannot be used: %v"
	}
	return ""
}
