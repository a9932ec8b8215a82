// Package dialect is what expressions can call beside JSONata's own functions, and in place of some of them. Existing mappings
// are written against these functions, so they give the same results down to the text of a number and the words of an error.
//
// The functions that stand here work on text, files and addresses. Those of larger fields have folders of their own: lodash for
// lists, paths and trees, luxon for dates, qs for query strings, xmljs for XML. js is what all of them have in common.
//
// Arguments are hostile input. Every function charges for its work before it does it.
package dialect
