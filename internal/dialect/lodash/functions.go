package lodash

import (
	"slices"

	"github.com/millrace/millrace/jsonata"
)

// Functions are the functions that come from lodash, and those that are built on its paths.
func Functions() []jsonata.Func {
	return slices.Concat(collectionFunctions(), objectFunctions(), treeFunctions())
}
