package jsregexp

import (
	"errors"
	"fmt"
)

// Limits of patterns and matches.
const (
	maxPattern = 1 << 15 // code units of a pattern
	maxNesting = 200     // groups within groups
	maxGroups  = 1000    // captures
	maxStack   = 1 << 20 // backtrack entries of one match, 16 bytes each
	minStack   = 32      // entries to begin with
	stepChunk  = 1 << 11 // units of work between two calls of step
)

// ErrLimit reports a pattern that is too large or too deeply nested, or a match
// that needs more memory than it may have.
var ErrLimit = errors.New("jsregexp: limit exceeded")

// SyntaxError says why and where a pattern is not a regular expression.
type SyntaxError struct {
	Message string
	Offset  int // in UTF-16 code units of the pattern
}

// Error returns the reason and the offset.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("invalid regular expression: %s at %d", e.Message, e.Offset)
}
