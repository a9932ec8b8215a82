package jsonata

import "math"

// double is a number of about twice the precision of float64: the sum of two, of which lo is at most half of the last
// digit of hi. [math.Pow] loses up to three digits when the result is large.
type double struct{ hi, lo float64 }

// ln2 is the natural logarithm of 2.
var ln2 = double{0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56} //nolint:gochecknoglobals // a constant

// sum adds two numbers, of which b is not the larger one.
func sum(a, b float64) double {
	s := a + b
	return double{s, b - (s - a)}
}

func (a double) add(b double) double {
	s := a.hi + b.hi
	v := s - a.hi
	return sum(s, (a.hi-(s-v))+(b.hi-v)+a.lo+b.lo)
}

func (a double) mul(b double) double {
	p := a.hi * b.hi
	return sum(p, math.FMA(a.hi, b.hi, -p)+a.hi*b.lo+a.lo*b.hi)
}

func (a double) div(b double) double {
	q := a.hi / b.hi
	p := b.mul(double{q, 0})
	return sum(q, (a.hi-p.hi-p.lo+a.lo)/b.hi)
}

func (a double) scale(exponent int) double {
	return double{math.Ldexp(a.hi, exponent), math.Ldexp(a.lo, exponent)}
}

// exp returns e to the power of a, divided by a power of two, and the exponent of that.
func (a double) exp() (double, int) {
	const halvings, terms = 9, 9
	k := math.Round(a.hi / math.Ln2)
	r := a.add(ln2.mul(double{-k, 0})).scale(-halvings)
	e := double{} // exp(r) - 1
	for n := terms; n > 0; n-- {
		e = r.mul(e.add(double{1, 0})).div(double{float64(n), 0})
	}
	for range halvings { // exp(2r) - 1 = (exp(r) - 1) * (exp(r) - 1 + 2)
		e = e.mul(e.add(double{2, 0}))
	}
	return e.add(double{1, 0}), int(k)
}

// log returns the natural logarithm of x, which is greater than 0.
func log(x float64) double {
	m, exponent := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, exponent = 2*m, exponent-1
	}
	y := double{math.Log(m), 0}
	if m != 1 { // one step of Halley's method, which cubes the error
		d, k := y.exp()
		d = d.scale(k)
		rest := double{m, 0}.add(double{-d.hi, -d.lo}).div(double{m, 0}.add(d))
		y = y.add(rest.scale(1))
	}
	return y.add(ln2.mul(double{float64(exponent), 0}))
}

// power returns x to the power of y as the nearest number. Those of JavaScript's engines are one digit in the last
// place away from it in a tenth of all cases.
func power(x, y float64) float64 {
	r := math.Pow(x, y)
	switch {
	case r != r || math.IsInf(x, 0) || math.IsInf(y, 0) || x == 0 || y == 0 || y == 1 || math.Abs(x) == 1:
		return r
	case y == 2:
		return x * x
	case y == -1:
		return 1 / x
	case y == 0.5:
		return math.Sqrt(x)
	}
	a := log(math.Abs(x)).mul(double{y, 0})
	if !(math.Abs(a.hi) < 800) { // far out of range: r is infinite or 0
		return r
	}
	e, k := a.exp()
	return math.Copysign(e.nearest(k), r)
}

// nearest returns the number nearest to a times a power of two. Numbers below the normal ones have fewer digits: those of hi
// are rounded to them, and lo decides where hi is half way between two.
func (a double) nearest(exponent int) float64 {
	const least, smallest = -1022, -1074
	if exponent+math.Ilogb(a.hi) >= least {
		return math.Ldexp(a.hi, exponent)
	}
	digit := math.Ldexp(1, smallest-exponent) // the last one, before the number is scaled
	n := math.RoundToEven(a.hi / digit)
	switch rest := a.hi/digit - n; {
	case rest == 0.5 && a.lo > 0:
		n++
	case rest == -0.5 && a.lo < 0:
		n--
	}
	return math.Ldexp(n, smallest)
}
