package lodash

import (
	"testing"

	"github.com/millrace/millrace/jsonata"
)

func FuzzPath(f *testing.F) {
	f.Add(`a.b[0]["c.d"]['e\'f'].`)
	f.Add(`..[[]].[-1].[x`)
	value := jsonata.NewObject(1)
	value.Set("a", jsonata.NewArray("x", jsonata.Null{}, 1.0))
	f.Fuzz(func(_ *testing.T, text string) {
		newPath(text).get(value)
	})
}
