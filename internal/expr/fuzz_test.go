package expr

import (
	"testing"

	"github.com/millrace/millrace/jsonata"
)

func FuzzQueryString(f *testing.F) {
	f.Add("a[b][]=1&a[b][]=2&a[0]=%E2%98%83&&=x&a[[]=1", true, 20.0)
	f.Add("a=1,2&a[]=3&a[c.d]=4&__proto__[x]=5", false, 1.0)
	program, err := Compile(`($o := $parseQuery($q, {"comma": $c, "allowDots": $c, "arrayLimit": $n, "allowSparse": $c});
		[$o, $stringifyQuery($o, {"arrayFormat": "brackets"})])`)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string, flag bool, limit float64) {
		_, err := program.EvalInput(t.Context(), Input{
			Bindings: map[string]Value{"q": text, "c": flag, "n": limit},
		})
		if e, ok := err.(*Error); err != nil && (!ok || e.Code == "") {
			t.Errorf("got error %v, which has no code", err)
		}
	})
}

func FuzzPath(f *testing.F) {
	f.Add(`a.b[0]["c.d"]['e\'f'].`)
	f.Add(`..[[]].[-1].[x`)
	value := jsonata.NewObject(1)
	value.Set("a", jsonata.NewArray("x", jsonata.Null{}, 1.0))
	f.Fuzz(func(_ *testing.T, text string) {
		newPath(text).get(value)
	})
}

func FuzzNumber(f *testing.F) {
	f.Add("-0x1F")
	f.Add("+12.5e-3px")
	f.Fuzz(func(_ *testing.T, text string) {
		parseNumber(text)
		parseIntPrefix(text)
		parseFloatPrefix(text)
	})
}
