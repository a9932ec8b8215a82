// Package table describes how the rows of a noun are kept: its columns, how they are written and read, which of them lists can be
// filtered and sorted by, and where a page of a list or log ends. A table is made once and has no state.
//
// Text of requests reaches a statement as an argument only; names of fields are looked up among the columns.
package table
