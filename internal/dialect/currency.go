package dialect

import (
	"math"
	"math/big"
	"strings"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

// currencyFunctions convert amounts between a currency and its smallest unit.
func currencyFunctions() []jsonata.Func {
	return js.Bounded(
		jsonata.Func{Name: "convertCurrencyToSubunit", Params: 2, Call: toSubunit},
		jsonata.Func{Name: "convertCurrencyFromSubunit", Params: 2, Call: fromSubunit},
	)
}

// currencyDigits is the number of decimal places of an ISO 4217 currency; most have two. Codes are in capitals.
func currencyDigits(code jsonata.Value) (int, bool) {
	const (
		none  = " BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XAG XAU XBA XBB XBC XBD XDR XOF XPD XPF XPT XSU XTS XUA XXX "
		three = " BHD IQD JOD KWD LYD OMR TND "
		four  = " CLF UYW "
		two   = " AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY" +
			" COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR" +
			" IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO" +
			" NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT" +
			" TOP TRY TTD TWD TZS UAH USD USN UYU UZS VES WST XCD YER ZAR ZMW ZWL "
	)
	name := js.Text(code)
	if len(name) != 3 || strings.Contains(name, " ") {
		return 0, false
	}
	for _, group := range []struct {
		codes  string
		digits int
	}{{two, 2}, {none, 0}, {three, 3}, {four, 4}} {
		if strings.Contains(group.codes, " "+name+" ") {
			return group.digits, true
		}
	}
	return 0, false
}

// toSubunit implements $convertCurrencyToSubunit. It cuts off what is less than a subunit after a multiplication of floating point, so that
// 19.99 dollars are 1998 cents: mappings that work around this must go on working.
func toSubunit(c *jsonata.Call) (jsonata.Value, error) {
	digits, known := currencyDigits(c.Arg(1))
	if !known || js.IsNullish(c.Arg(0)) {
		return c.Arg(0), nil
	}
	return math.Floor(js.ParseFloat(js.Text(c.Arg(0))) * math.Pow10(digits)), nil
}

// fromSubunit implements $convertCurrencyFromSubunit, whose result is text with all decimal places of the currency.
func fromSubunit(c *jsonata.Call) (jsonata.Value, error) {
	digits, known := currencyDigits(c.Arg(1))
	if !known || js.IsNullish(c.Arg(0)) {
		return c.Arg(0), nil
	}
	return toFixed(js.ParseFloat(js.Text(c.Arg(0)))/math.Pow10(digits), digits), nil
}

// toFixed writes a number with a fixed number of decimal places as JavaScript does: by its exact binary value, and away from zero if that
// lies in the middle.
func toFixed(n float64, digits int) string {
	if math.IsNaN(n) || math.Abs(n) >= 1e21 {
		return jsonata.FormatNumber(n)
	}
	scaled := new(big.Rat).SetFloat64(math.Abs(n))
	scaled.Mul(scaled, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil)))
	scaled.Add(scaled, big.NewRat(1, 2))
	text := new(big.Int).Quo(scaled.Num(), scaled.Denom()).String()
	if missing := digits + 1 - len(text); missing > 0 {
		text = strings.Repeat("0", missing) + text
	}
	if digits > 0 {
		text = text[:len(text)-digits] + "." + text[len(text)-digits:]
	}
	if n < 0 {
		return "-" + text
	}
	return text
}
