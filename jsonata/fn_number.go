package jsonata

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/millrace/millrace/jsonata/internal/picture"
)

func numberFuncs() []builtin {
	simple := func(name string, fn func(float64) float64) builtin {
		return builtin{name, "<n-:n>", 1, defined(func(c *Call) (Value, error) {
			return fn(c.Arg(0).(float64)), nil
		})}
	}
	return []builtin{
		{"sum", "<a<n>:n>", 1, defined(fnSum)},
		{"count", "<a:n>", 1, fnCount},
		{"max", "<a<n>:n>", 1, defined(func(c *Call) (Value, error) { return fold(c, math.Max) })},
		{"min", "<a<n>:n>", 1, defined(func(c *Call) (Value, error) { return fold(c, math.Min) })},
		{"average", "<a<n>:n>", 1, defined(fnAverage)},
		{"number", "<(nsb)-:n>", 1, defined(fnNumber)},
		simple("floor", math.Floor),
		simple("ceil", math.Ceil),
		simple("abs", math.Abs),
		{"round", "<n-n?:n>", 2, defined(fnRound)},
		{"sqrt", "<n-:n>", 1, defined(fnSqrt)},
		{"power", "<n-n:n>", 2, defined(fnPower)},
		{"random", "<:n>", 0, func(c *Call) (Value, error) { return c.ev.random(), nil }},
		{"formatNumber", "<n-so?:s>", 3, defined(fnFormatNumber)},
		{"formatBase", "<n-n?:s>", 2, defined(fnFormatBase)},
		{"formatInteger", "<n-s:s>", 2, defined(fnFormatInteger)},
		{"parseInteger", "<s-s:n>", 2, defined(fnParseInteger)},
	}
}

// numbers calls fn for each of an array of numbers.
func numbers(c *Call, fn func(float64)) error {
	a := c.Arg(0).(*Array)
	if err := c.Step(a.Len() / 4); err != nil {
		return err
	}
	for i := range a.Len() {
		n, err := c.toNumber(a.At(i))
		if err != nil {
			return err
		}
		fn(n)
	}
	return nil
}

// toNumber converts as JavaScript does. Only partial applications have other items than numbers here.
func (c *Call) toNumber(v Value) (float64, error) {
	switch v := v.(type) {
	case float64:
		return v, nil
	case bool:
		if v {
			return 1, nil
		}
		return 0, nil
	case Null:
		return 0, nil
	}
	text, err := c.toText(v, 0)
	if err != nil {
		return 0, err
	}
	if text = strings.TrimSpace(text); text == "" {
		return 0, nil
	}
	if n, ok := parseNumber(text); ok {
		return n, nil
	}
	return math.NaN(), nil
}

func fnSum(c *Call) (Value, error) {
	total := 0.0
	err := numbers(c, func(n float64) { total += n })
	return total, err
}

func fnCount(c *Call) (Value, error) {
	a, ok := c.Arg(0).(*Array)
	if !ok {
		return 0.0, nil
	}
	return float64(a.Len()), nil
}

func fold(c *Call, fn func(a, b float64) float64) (Value, error) {
	a := c.Arg(0).(*Array)
	if a.Len() == 0 {
		return nil, nil
	}
	total := math.NaN()
	first := true
	err := numbers(c, func(n float64) {
		if !first {
			n = fn(total, n)
		}
		total, first = n, false
	})
	return total, err
}

func fnAverage(c *Call) (Value, error) {
	n := c.Arg(0).(*Array).Len()
	if n == 0 {
		return nil, nil
	}
	total := 0.0
	err := numbers(c, func(n float64) { total += n })
	return total / float64(n), err
}

func fnNumber(c *Call) (Value, error) {
	switch v := c.Arg(0).(type) {
	case float64:
		return v, nil
	case bool:
		if v {
			return 1.0, nil
		}
		return 0.0, nil
	case string:
		if n, ok := parseNumber(v); ok {
			return n, nil
		}
	}
	return nil, argError("D3030", 0, c.Arg(0))
}

// parseNumber reads a decimal number, or an integer with the prefix 0x, 0o or 0b.
func parseNumber(s string) (float64, bool) {
	if decimal(s) {
		n, err := strconv.ParseFloat(s, 64)
		return n, err == nil
	}
	if len(s) > 2 && s[0] == '0' {
		base := map[byte]int{'x': 16, 'X': 16, 'o': 8, 'O': 8, 'b': 2, 'B': 2}[s[1]]
		if base != 0 {
			n, ok := parseDigits(s[2:], base)
			return n, ok
		}
	}
	return 0, false
}

// decimal tells whether s is digits with an optional sign, fraction and exponent.
func decimal(s string) bool {
	s = strings.TrimPrefix(s, "-")
	rest := strings.TrimLeft(s, "0123456789")
	if rest == s {
		return false
	}
	if strings.HasPrefix(rest, ".") {
		fraction := strings.TrimLeft(rest[1:], "0123456789")
		if fraction == rest[1:] {
			return false
		}
		rest = fraction
	}
	if rest != "" && (rest[0] == 'e' || rest[0] == 'E') {
		rest = rest[1:]
		if rest != "" && (rest[0] == '+' || rest[0] == '-') {
			rest = rest[1:]
		}
		return rest != "" && strings.Trim(rest, "0123456789") == ""
	}
	return rest == ""
}

func parseDigits(s string, base int) (float64, bool) {
	n := 0.0
	for i := range len(s) {
		d, err := strconv.ParseUint(s[i:i+1], base, 8)
		if err != nil {
			return 0, false
		}
		n = n*float64(base) + float64(d)
	}
	return n, s != ""
}

func fnRound(c *Call) (Value, error) {
	precision, _ := c.Arg(1).(float64)
	return round(c.Arg(0).(float64), precision), nil
}

// round rounds half to even at a decimal place. The place is moved in the decimal
// text, because multiplying by a power of ten is not exact.
func round(x, precision float64) float64 {
	if precision != 0 {
		x = shiftDecimal(x, precision)
	}
	r := math.RoundToEven(x)
	if precision != 0 {
		r = shiftDecimal(r, -precision)
	}
	if r == 0 {
		return 0
	}
	return r
}

func shiftDecimal(x, places float64) float64 {
	mantissa, exponent, _ := strings.Cut(FormatNumber(x), "e")
	e := places
	if exponent != "" {
		n, err := strconv.Atoi(exponent)
		if err != nil {
			return math.NaN()
		}
		e += float64(n)
	}
	if e != math.Trunc(e) || math.Abs(e) > 1e6 {
		return math.NaN()
	}
	r, err := strconv.ParseFloat(mantissa+"e"+strconv.Itoa(int(e)), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return math.NaN()
	}
	return r
}

func fnSqrt(c *Call) (Value, error) {
	n := c.Arg(0).(float64)
	if n < 0 {
		return nil, argError("D3060", 0, n)
	}
	return math.Sqrt(n), nil
}

func fnPower(c *Call) (Value, error) {
	base := c.Arg(0).(float64)
	exponent, ok := c.Arg(1).(float64)
	r := power(base, exponent)
	if math.Abs(base) == 1 && (math.IsInf(exponent, 0) || exponent != exponent) || !ok {
		r = math.NaN() // where JavaScript and IEEE 754 differ
	}
	if math.IsInf(r, 0) || r != r {
		return nil, argError("D3061", 0, base)
	}
	return r, nil
}

func fnFormatNumber(c *Call) (Value, error) {
	pattern, _ := c.Arg(1).(string)
	var options map[string]string
	if o := objectFrom(c.Arg(2)); o != nil {
		options = make(map[string]string, o.Len())
		for key, v := range o.All() {
			text, err := c.ev.text(v)
			if err != nil {
				return nil, err
			}
			options[key] = text
		}
	}
	if options != nil {
		return fromPicture(c, len(pattern))(picture.FormatNumber(c.Arg(0).(float64), pattern, options))
	}
	last := &c.ev.picture // the same picture is often used for many numbers
	if last.number == nil || last.text != pattern {
		p, err := picture.ParseNumber(pattern, nil)
		if err != nil {
			return nil, pictureError(err)
		}
		last.text, last.number = pattern, p
	}
	return fromPicture(c, len(pattern))(last.number.Format(c.Arg(0).(float64)))
}

func fnFormatBase(c *Call) (Value, error) {
	radix, ok := c.Arg(1).(float64)
	if !ok {
		radix = 10
	}
	return fromPicture(c, 0)(picture.FormatBase(c.Arg(0).(float64), radix))
}

func fnFormatInteger(c *Call) (Value, error) {
	pattern, _ := c.Arg(1).(string)
	return fromPicture(c, len(pattern))(picture.FormatInteger(c.Arg(0).(float64), pattern))
}

func fnParseInteger(c *Call) (Value, error) {
	pattern, _ := c.Arg(1).(string)
	n, err := picture.ParseInteger(c.Arg(0).(string), pattern)
	if err != nil {
		return nil, pictureError(err)
	}
	return n, c.Step(len(pattern)/16 + 1)
}

// fromPicture returns the result of a formatting function.
func fromPicture(c *Call, work int) func(string, error) (Value, error) {
	return func(s string, err error) (Value, error) {
		if err != nil {
			return nil, pictureError(err)
		}
		if err := c.Grow(len(s)); err != nil {
			return nil, err
		}
		return s, c.Step(work/16 + 1)
	}
}

func pictureError(err error) error {
	var e *picture.Error
	switch {
	case errors.As(err, &e):
		return newError(e.Code, e.Value)
	case errors.Is(err, picture.ErrLimit):
		return newError(CodeOutput, "pictures")
	}
	return &Error{Code: "D1001", Message: "a number or time is out of range", cause: err}
}
