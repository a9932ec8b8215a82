package xmljs

import (
	"errors"
	"strings"
	"testing"

	"github.com/millrace/millrace/jsonata"
)

func FuzzXML(f *testing.F) {
	for _, seed := range []string{
		`<?xml version="1.0"?><a x='1'>&lt;b&#65;<![CDATA[c]]><!-- d --><e/></a>`, `<!DOCTYPE a [<!ENTITY x "y">]><a/>`, `<a`, `<a b=c></b>`, `<!x "`, `&&;<`,
	} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	library, err := jsonata.NewLibrary(jsonata.Standard(), Functions()...)
	if err != nil {
		f.Fatal(err)
	}
	program, err := library.Compile(`$jsToXml($xmlToJs(x, o), o)`)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string, compact bool) {
		options := jsonata.NewObject(2)
		options.Set("compact", compact)
		options.Set("spaces", 1.0)
		data := jsonata.NewObject(2)
		data.Set("x", text)
		data.Set("o", options)
		v, err := program.Eval(t.Context(), jsonata.Input{Data: data})
		var e *jsonata.Error
		if _, ok := v.(string); !ok && !errors.As(err, &e) {
			t.Errorf("got %v, error %v, want text or an error with a code", v, err)
		}
		if e != nil && strings.Contains(e.Message, "internal") {
			t.Errorf("got %v", err)
		}
	})
}
