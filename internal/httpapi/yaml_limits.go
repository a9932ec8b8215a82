package httpapi

import (
	"fmt"
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// Limits of one YAML body. The parser's time grows with the square of the tokens, and every node remembers its whole
// path; the longest key and the depth bound that path.
const (
	maxTokens    = 40_000
	maxKey       = 1024
	maxYAMLDepth = 64
	maxPathBytes = 256 << 20
)

// invalidText returns the offset of the first byte that is not UTF-8 or may not stand in YAML, -1 when there is none.
func invalidText(src []byte) int {
	for i := 0; i < len(src); {
		r, size := utf8.DecodeRune(src[i:])
		if (r == utf8.RuneError && size == 1) || (r < ' ' && r != '\n' && r != '\r' && r != '\t') {
			return i
		}
		i += size
	}
	return -1
}

// checkTokens refuses documents that would cost the parser too much time, memory or stack.
func checkTokens(tokens token.Tokens) error {
	if len(tokens) > maxTokens {
		return brokenBody("YAML", place{1, 1}, fmt.Sprintf("has more than %d tokens; send JSON", maxTokens))
	}
	var columns []int // of the block collections that are open
	flow, row, depth, key := 0, 0, 0, 0
	for _, t := range tokens {
		row++
		switch t.Type { //nolint:exhaustive // all other tokens stand for scalars and layout
		case token.MappingStartType, token.SequenceStartType:
			flow++
		case token.MappingEndType, token.SequenceEndType:
			flow = max(flow-1, 0)
		case token.SequenceEntryType:
			columns = open(columns, t.Position.Column)
		case token.MappingValueType:
			if t.Prev != nil {
				columns = open(columns, t.Prev.Position.Column)
				key = max(key, len(t.Prev.Value))
			}
			row = 0
		case token.TagType, token.AnchorType, token.MappingKeyType:
			depth = max(depth, row)
		default:
			row = 0
		}
		if depth = max(depth, flow+len(columns)); depth > maxYAMLDepth {
			return brokenBody("YAML", placeOfToken(t), fmt.Sprintf("nests deeper than %d levels", maxYAMLDepth))
		}
		if key > maxKey {
			return brokenBody("YAML", placeOfToken(t), fmt.Sprintf("a key is longer than %d bytes", maxKey))
		}
	}
	if len(tokens)*depth*(key+8) > maxPathBytes {
		return brokenBody("YAML", place{1, 1}, "is too complex; send JSON")
	}
	return nil
}

// open notes that a collection has an element at the column; those further right have ended.
func open(columns []int, column int) []int {
	for len(columns) > 0 && columns[len(columns)-1] >= column {
		columns = columns[:len(columns)-1]
	}
	return append(columns, column)
}
