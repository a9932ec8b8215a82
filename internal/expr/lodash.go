package expr

import (
	"slices"

	"github.com/millrace/millrace/jsonata"
)

// lodashFunctions are the functions that come from lodash, and those that are built on its paths.
func lodashFunctions() []jsonata.Func {
	return slices.Concat(collectionFunctions(), objectFunctions(), treeFunctions())
}
