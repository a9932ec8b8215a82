package document

import (
	"fmt"
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// Limits of one YAML body. The library reads the whole text into tokens of some hundred bytes each before it can be
// stopped, so the marks that tokens are made of are counted first. Its time grows with the square of the tokens, of the
// empty lines in a row and of the tabs in a line, and every node remembers its whole path; the longest key and the
// depth bound that path.
const (
	MaxYAML       = 1 << 20
	maxMarks      = 160_000
	maxEmptyLines = 200
	maxTabs       = 20 << 20 // tabs of a line, times its length
	maxTokens     = 40_000
	maxKey        = 1024
	maxYAMLDepth  = 64
	maxPathBytes  = 32 << 20
)

// checkText rejects texts that would cost the library too much time or memory before it looks at their tokens.
func checkText(src []byte) error {
	if len(src) > MaxYAML {
		return tooMuch("YAML", Position{1, 1}, fmt.Sprintf("has more than %d bytes; send JSON", MaxYAML))
	}
	marks, empty, tabs, tabCost := 0, 0, 0, 0
	at, began, blank := Position{1, 1}, 0, true
	for i, c := range src {
		switch c {
		case '\n', '\r':
			if tabCost += tabs * (i - began); tabCost > maxTabs {
				return tooMuch("YAML", at, "has too many tabs in a long line")
			}
			if empty++; !blank {
				empty = 0
			}
			if empty > maxEmptyLines {
				return tooMuch("YAML", at, fmt.Sprintf("has more than %d empty lines in a row", maxEmptyLines))
			}
			marks++
			at = Position{at.Line + 1, 1}
			began, tabs, blank = i+1, 0, true
			continue
		case '\t':
			tabs++
			continue
		case ' ':
			continue
		case '{', '}', '[', ']', ',', ':', '-', '?', '|', '>', '!', '&', '*', '#', '\'', '"', '%':
			marks++
		}
		if blank = false; marks > maxMarks {
			at.Column = int32(i - began + 1)
			return tooMuch("YAML", at, fmt.Sprintf("has more than %d brackets, commas, colons, dashes, quotes and lines; send JSON", maxMarks))
		}
	}
	if tabCost+tabs*(len(src)-began) > maxTabs {
		return tooMuch("YAML", at, "has too many tabs in a long line")
	}
	return nil
}

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

// checkTokens rejects documents that would cost the parser too much time, memory or stack.
func checkTokens(tokens token.Tokens) error {
	if len(tokens) > maxTokens {
		return tooMuch("YAML", placeOfToken(tokens[maxTokens]), fmt.Sprintf("has more than %d tokens; send JSON", maxTokens))
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
			return tooMuch("YAML", placeOfToken(t), fmt.Sprintf("nests deeper than %d levels", maxYAMLDepth))
		}
		if key > maxKey {
			return tooMuch("YAML", placeOfToken(t), fmt.Sprintf("a key is longer than %d bytes", maxKey))
		}
	}
	if len(tokens)*depth*(key+8) > maxPathBytes {
		return tooMuch("YAML", Position{1, 1}, "is too complex; send JSON")
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
