package expr

import "github.com/millrace/millrace/jsonata"

// queryFunctions are the functions that read and write query strings.
func queryFunctions() []jsonata.Func {
	return []jsonata.Func{
		{Name: "parseQuery", Params: 2, Call: parseQueryFunction},
		{Name: "stringifyQuery", Params: 2, Call: stringifyQueryFunction},
	}
}
