// Package document reads what people and programs send, JSON or YAML, into one tree that keeps the order of members, the spelling of
// numbers and the position of everything, so that a rejection can say where.
//
// Both readers bound what a small text can claim: values, depth, and what the YAML library would need before it can be stopped. An
// error because of a bound is [ErrBounds]; all errors are of KindInvalid with line and column.
package document
