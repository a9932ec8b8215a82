// Package picture formats and parses numbers and times by the XPath picture
// strings of the JSONata functions $formatNumber, $formatBase,
// $formatInteger, $parseInteger, $fromMillis and $toMillis.
//
// The entry points take and return plain values; what is undefined in JSONata
// is a nil pointer or a false flag here:
//
//	FormatNumber(value float64, picture string, options map[string]string) (string, error)
//	FormatBase(value, radix float64) (string, error)
//	FormatInteger(value float64, picture string) (string, error)
//	ParseInteger(text, picture string) (float64, error)
//	FromMillis(millis float64, picture, zone *string) (string, error)
//	ToMillis(text string, picture *string, now float64) (float64, bool, error)
//
// Three things go wrong, and each has its own error:
//
//   - the language defines a code for it: *Error, with the code (D3080 to D3093,
//     D3100, D3110, D3130 to D3136) and the value its message shows;
//   - the reference implementation runs into an exception of its host, an
//     endless loop or a stack overflow, so there is no code: ErrRange;
//   - the result would be unreasonably large or expensive: ErrLimit.
//
// Results follow the reference implementation (npm jsonata 2.2.2) even where it
// leaves the XPath specification, because expressions in use depend on it. A
// number may come back as NaN, which is what the reference returns for text that
// it cannot read. Positions and lengths in pictures count UTF-16 code units.
//
// The work of every call is bounded by the length of its arguments and a fixed
// output limit, so callers need no budget here.
package picture
