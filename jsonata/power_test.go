package jsonata

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// TestPower compares with products that are computed exactly.
func TestPower(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	check := func(x float64, n int) {
		exact := big.NewFloat(1).SetPrec(4000)
		for range max(n, -n) {
			exact.Mul(exact, big.NewFloat(x))
		}
		if n < 0 {
			exact.Quo(big.NewFloat(1).SetPrec(4000), exact)
		}
		want, _ := exact.Float64()
		if got := power(x, float64(n)); got != want {
			t.Errorf("%v to the power of %d: got %v, want %v", x, n, got, want)
		}
	}
	for n := -307; n <= 308; n++ {
		check(10, n)
	}
	for range 2000 {
		check(math.Round(rnd.Float64()*2000-1000)/100, rnd.IntN(60)-30)
		check(math.Exp(rnd.Float64()*40-20), rnd.IntN(36)-18)
	}
	for range 2000 { // beside 1
		n := 40 + rnd.IntN(22)
		digits := min(1000, math.Floor(600*math.Ldexp(1, 52-n)))
		checkSquares(t, 1+math.Round((2*rnd.Float64()-1)*digits)*0x1p-52, n)
	}
	for range 200 { // below the normal numbers
		n := 3 + rnd.IntN(30)
		check(math.Exp2(-(1023+5*rnd.Float64())/float64(n)), n)
	}
	for _, c := range []struct{ x, y, want float64 }{
		{0.25, 0.5, 0.5},
		{8, 1.0 / 3, 2},
		{2, 0.5, math.Sqrt2},
		{2, 1023.5, 0x1.6a09e667f3bcdp1023},
		{2, 1024, math.Inf(1)},
		{2, -1074, 5e-324},
		{2, -1100, 0},
		{-2, 3, -8},
		{-2, -3, -0.125},
		{1, math.Inf(1), 1},
		{0, -1, math.Inf(1)},
		{math.Nextafter(1, 2), 1e300, math.Inf(1)},
		{math.Nextafter(1, 0), 1e300, 0},
		{math.E, 1e-300, 1},
	} {
		if got := power(c.x, c.y); got != c.want {
			t.Errorf("%v to the power of %v: got %v, want %v", c.x, c.y, got, c.want)
		}
	}
}

// checkSquares compares x to the power of 2^n with what n squares give.
func checkSquares(t *testing.T, x float64, n int) {
	t.Helper()
	const digits = 400
	exact := big.NewFloat(x).SetPrec(digits)
	for range n {
		exact.Mul(exact, exact)
	}
	want, _ := exact.Float64()
	if got := power(x, math.Ldexp(1, n)); got != want {
		t.Errorf("%v to the power of 2^%d: got %v, want %v", x, n, got, want)
	}
}
