package editor

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/document"
)

// Problem is what is wrong with a text, or probably not meant, and where.
type Problem struct {
	millrace.Failure
	Warning  bool
	Line     int // from 1; 0: it is about no place
	Column   int // from 1, in characters
	From, To int // of the words, from 0 in the line, as JavaScript counts
}

// place finds the places of findings in a text.
func place(text string, failures []millrace.Failure, warning bool) []Problem {
	root, lines := parse(text), strings.Split(text, "\n")
	out := make([]Problem, len(failures))
	for i, f := range failures {
		out[i] = Problem{Failure: f, Warning: warning}
		line, column := f.Line, f.Column
		switch {
		case f.Offset != nil && root != nil && f.Path != "":
			line, column = inExpression(lines, document.Find(root, f.Path), &f)
		case (line == 0 || f.Offset != nil) && root != nil && f.Path != "":
			at := document.Find(root, f.Path).At
			line, column = int(at.Line), int(at.Column)
		}
		out[i].at(lines, line, column)
	}
	slices.SortStableFunc(out, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return out
}

// at puts a problem at a line and column, if they are there.
func (p *Problem) at(lines []string, line, column int) {
	if line < 1 {
		return
	}
	line = min(line, len(lines))
	text := lines[line-1]
	start := 0
	for range column - 1 {
		if start >= len(text) {
			break
		}
		_, size := utf8.DecodeRuneInString(text[start:])
		start += size
	}
	p.Line, p.Column = line, utf8.RuneCountInString(text[:start])+1
	if start == len(text) && start > 0 { // what is missing at the end is marked at the last character
		_, size := utf8.DecodeLastRuneInString(text)
		start -= size
	}
	p.From = units(text[:start])
	p.To = p.From + max(1, units(word(text[start:])))
}

// word is what stands at the beginning of a text: one in quotes, a name, or a character.
func word(text string) string {
	if strings.HasPrefix(text, `"`) {
		if end := strings.IndexByte(text[1:], '"'); end >= 0 {
			return text[:end+2]
		}
		return text
	}
	end := strings.IndexFunc(text, func(r rune) bool {
		return r <= ' ' || strings.ContainsRune(`,:[]{}()"'`, r)
	})
	if end < 0 {
		return text
	}
	return text[:end]
}

// units is how long a text is for JavaScript.
func units(text string) int {
	n := 0
	for _, r := range text {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}

// inExpression returns the line and column of a finding in an expression that stands in a text, as far as the way it is written tells.
func inExpression(lines []string, v *document.Value, f *millrace.Failure) (line, column int) { //nolint:nonamedreturns // two numbers
	line, column = int(v.At.Line), int(v.At.Column)
	if v.Kind != document.KindString || line < 1 || line > len(lines) {
		return line, column
	}
	text := []rune(lines[line-1])
	if column > len(text) {
		return line, column
	}
	switch rest := text[column-1:]; rest[0] {
	case '|':
		at := line + f.Line
		if at > len(lines) {
			return line, column
		}
		return at, indentOf(lines[line:]) + f.Column
	case '>':
		return line, column
	case '"':
		return line, column + 1 + escaped(string(rest[1:]), *f.Offset)
	case '\'':
		return line, column + 1 + doubled(rest[1:], *f.Offset)
	}
	if f.Line > 1 {
		return line, column
	}
	return line, column + f.Column - 1
}

// indentOf is how far the first line of a block with a text is indented.
func indentOf(lines []string) int {
	for _, l := range lines {
		if trimmed := strings.TrimLeft(l, " "); trimmed != "" {
			return len(l) - len(trimmed)
		}
	}
	return 0
}

// escaped returns how many characters of a text in double quotes stand for the first bytes of what it means.
func escaped(text string, offset int) int {
	n, meant := 0, 0
	for text != "" && meant < offset {
		r, size := utf8.DecodeRuneInString(text)
		if r != '\\' || len(text) < 2 {
			meant, n, text = meant+size, n+1, text[size:]
			continue
		}
		length := 2
		means := 1
		if text[1] == 'u' && len(text) >= 6 {
			length = 6
			code, _ := strconv.ParseInt(text[2:6], 16, 32)
			if means = utf8.RuneLen(rune(code)); means < 0 { // half of a pair, which is four bytes
				means = 2
			}
		}
		meant, n, text = meant+means, n+length, text[length:]
	}
	return n
}

// doubled is escaped for single quotes.
func doubled(text []rune, offset int) int {
	n := 0
	for meant := 0; n < len(text) && meant < offset; n++ {
		meant += utf8.RuneLen(text[n])
		if text[n] == '\'' {
			n++
		}
	}
	return n
}
