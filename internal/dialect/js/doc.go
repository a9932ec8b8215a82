// Package js holds what the functions of the dialect have in common, because all of them were written in JavaScript first: how
// values become text, numbers and conditions, what members they have, when they are the same, and how functions report
// errors and charge for their work.
//
// Functions charge before they work. Arguments may contain each other many times over, so that a few values would become a
// text without end.
package js
