package locale

import (
	"math"
	"strings"

	"github.com/millrace/millrace/jsonata"
)

// RoundTo rounds half up to a number of decimal places.
func RoundTo(n float64, places int) float64 {
	factor := math.Pow10(places)
	whole := math.Floor(n * factor)
	if n*factor-whole >= 0.5 {
		whole++
	}
	return whole / factor
}

// PadNumber writes a number with at least width characters; the sign does not count.
func PadNumber(n float64, width int) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	text := jsonata.FormatNumber(n)
	return sign + strings.Repeat("0", max(0, width-len(text))) + text
}
