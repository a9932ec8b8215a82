// Package dialect has the functions that expressions can call beside JSONata's own, and those that replace some of them.
// Existing mappings are written against these functions, so results are the same down to the text of a number and the wording
// of an error.
//
// The functions of this package work on text, files and addresses. Larger fields have packages of their own: lodash for lists,
// paths and trees, luxon for dates, qs for query strings, xmljs for XML. Package js holds what all of them share.
//
// Arguments are hostile input. Every function charges for its work before it does it.
package dialect
