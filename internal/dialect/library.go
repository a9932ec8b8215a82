package dialect

import (
	"slices"
	"sync"

	"github.com/millrace/millrace/internal/dialect/lodash"
	"github.com/millrace/millrace/internal/dialect/luxon"
	"github.com/millrace/millrace/internal/dialect/qs"
	"github.com/millrace/millrace/internal/dialect/xmljs"
	"github.com/millrace/millrace/jsonata"
)

// library belongs to the process: the functions are constants.
var library = sync.OnceValue(newLibrary) //nolint:gochecknoglobals // built once, immutable

// Library returns JSONata's functions together with those of the dialect, which replace some of them.
func Library() *jsonata.Library { return library() }

// newLibrary panics if a function is declared wrongly, which the first test that compiles anything shows.
func newLibrary() *jsonata.Library {
	lib, err := jsonata.NewLibrary(jsonata.Standard(), slices.Concat(
		mappingFunctions(),
		lodash.Functions(),
		stringFunctions(),
		urlFunctions(),
		qs.Functions(),
		luxon.Functions(),
		cryptoFunctions(),
		sqlFunctions(),
		csvFunctions(),
		xmljs.Functions(),
		textFunctions(),
		currencyFunctions(),
		blobFunctions(),
		heavyFunctions(),
	)...)
	if err != nil {
		panic("dialect: " + err.Error())
	}
	return lib
}
