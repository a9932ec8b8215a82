package qs

import (
	"errors"
	"testing"

	"github.com/millrace/millrace/jsonata"
)

func FuzzQueryString(f *testing.F) {
	f.Add("a[b][]=1&a[b][]=2&a[0]=%E2%98%83&&=x&a[[]=1", true, 20.0)
	f.Add("a=1,2&a[]=3&a[c.d]=4&__proto__[x]=5", false, 1.0)
	library, err := jsonata.NewLibrary(jsonata.Standard(), Functions()...)
	if err != nil {
		f.Fatal(err)
	}
	program, err := library.Compile(`($o := $parseQuery($q, {"comma": $c, "allowDots": $c, "arrayLimit": $n, "allowSparse": $c});
		[$o, $stringifyQuery($o, {"arrayFormat": "brackets"})])`)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string, flag bool, limit float64) {
		_, err := program.Eval(t.Context(), jsonata.Input{
			Bindings: map[string]jsonata.Value{"q": text, "c": flag, "n": limit},
		})
		var e *jsonata.Error
		if err != nil && (!errors.As(err, &e) || e.Code == "") {
			t.Errorf("got error %v, which has no code", err)
		}
	})
}
