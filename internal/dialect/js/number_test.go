package js

import "testing"

func FuzzNumber(f *testing.F) {
	f.Add("-0x1F")
	f.Add("+12.5e-3px")
	f.Fuzz(func(_ *testing.T, text string) {
		ParseNumber(text)
		ParseInt(text)
		ParseFloat(text)
	})
}
