package qs

import "github.com/millrace/millrace/jsonata"

// Functions are the functions that read and write query strings.
func Functions() []jsonata.Func {
	return []jsonata.Func{
		{Name: "parseQuery", Params: 2, Call: parseFunction},
		{Name: "stringifyQuery", Params: 2, Call: stringifyFunction},
	}
}
