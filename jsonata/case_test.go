package jsonata_test

import (
	"testing"

	"github.com/millrace/millrace/jsonata"
)

func TestCase(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		`$uppercase("straße ﬁx ŉ")`:     "STRASSE FIX ʼN",
		`$uppercase("\u0390\u1fd3")`:    "\u0399\u0308\u0301\u0399\u0308\u0301",
		`$uppercase("ᾳ ᾀ ῳ ὐ և")`:       "ΑΙ ἈΙ ΩΙ Υ̓ ԵՒ",
		`$lowercase("İI")`:              "i̇i",
		`$lowercase("ΟΔΟΣ ΟΔΟΣ. Σ ΣΑ")`: "οδος οδος. σ σα",
		`$lowercase("\uD83DÄ")`:         "\xed\xa0\xbdä",
	} {
		v, err := eval(t, src, jsonata.Input{})
		if err != nil || v != want {
			t.Errorf("%s: got %q, error %v, want %q", src, v, err, want)
		}
	}
}
