package dialect

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

// textFunctions cut text into pieces.
func textFunctions() []jsonata.Func {
	return js.Bounded(jsonata.Func{Name: "recursiveCharacterTextSplitter", Params: 1, Call: splitText})
}

// textSplitter cuts text into chunks of at most size UTF-16 units, preferably at paragraphs, then lines, then words. Neighbours share up
// to overlap units.
type textSplitter struct {
	call          *jsonata.Call
	size, overlap float64
	separators    []string
	keep          bool // separators stay at the beginning of the piece after them
	chunks        []jsonata.Value
}

// splitText implements $recursiveCharacterTextSplitter(value, options). Lists and objects are split as indented JSON.
func splitText(c *jsonata.Call) (jsonata.Value, error) {
	s := &textSplitter{call: c, size: 1000, overlap: 200, separators: []string{"\n\n", "\n", " ", ""}, keep: true}
	if err := s.configure(c.Arg(1)); err != nil {
		return nil, err
	}
	text, err := splitterText(c, c.Arg(0))
	if err != nil {
		return nil, err
	}
	if err := s.split(text, s.separators); err != nil {
		return nil, err
	}
	return jsonata.NewArray(s.chunks...), nil
}

// configure reads the options. Without any, chunks are 200 long and share 60.
func (s *textSplitter) configure(options jsonata.Value) error {
	if options == nil {
		s.size, s.overlap = 200, 60
	}
	if v := js.Field(options, "chunkSize"); !js.IsNullish(v) {
		s.size = js.Number(v)
	}
	if v := js.Field(options, "chunkOverlap"); !js.IsNullish(v) {
		s.overlap = js.Number(v)
	}
	if list, ok := js.Field(options, "separators").(*jsonata.Array); ok {
		s.separators = nil
		for _, item := range list.Items() {
			s.separators = append(s.separators, js.Text(item))
		}
	}
	if v := js.Field(options, "keepSeparator"); !js.IsNullish(v) {
		s.keep = js.IsTrue(v)
	}
	if s.overlap >= s.size {
		return js.ArgumentError("Cannot have chunkOverlap >= chunkSize")
	}
	return nil
}

func splitterText(c *jsonata.Call, v jsonata.Value) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case nil, jsonata.Null:
		return "", nil
	case *jsonata.Array, *jsonata.Object:
		return indentedJSON(c, v)
	}
	return js.LodashText(v), nil
}

// indentedJSON is JSON with two spaces for each level.
func indentedJSON(c *jsonata.Call, v jsonata.Value) (string, error) {
	data, err := jsonata.ToJSON(v)
	if err != nil {
		return "", js.FailedError("encode json: %v", err)
	}
	w := indenter{call: c}
	for rest := data; len(rest) > 0 && w.err == nil; {
		n := 1
		switch rest[0] {
		case '"':
			n = endOfText(rest)
			w.out.Write(rest[:n])
		case '{', '[':
			if w.out.WriteByte(rest[0]); rest[1] == '}' || rest[1] == ']' {
				w.out.WriteByte(rest[1])
				n = 2
				break
			}
			w.line(1)
		case '}', ']':
			w.line(-1)
			w.out.WriteByte(rest[0])
		case ',':
			w.out.WriteByte(',')
			w.line(0)
		case ':':
			w.out.WriteString(": ")
		default:
			w.out.WriteByte(rest[0])
		}
		rest = rest[n:]
	}
	return w.out.String(), w.err
}

// endOfText returns the length of the JSON string at the start of data.
func endOfText(data []byte) int {
	for i := 1; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(data)
}

// indenter writes lines of JSON. What nests deeply is mostly indentation.
type indenter struct {
	call  *jsonata.Call
	out   strings.Builder
	depth int
	err   error
}

// line begins a line, so many levels deeper.
func (w *indenter) line(deeper int) {
	w.depth += deeper
	if w.err = w.call.Step(1 + w.depth/64); w.err != nil {
		return
	}
	if w.err = w.call.Grow(1 + 2*w.depth); w.err == nil {
		w.out.WriteString("\n" + strings.Repeat("  ", w.depth))
	}
}

// split cuts with the first separator that occurs, and what is still too long with those after it. After the last separator text is cut
// between any two characters, but not after an empty one, which has done that already.
func (s *textSplitter) split(text string, separators []string) error {
	if err := s.call.Step(1 + len(text)/16); err != nil {
		return err
	}
	separator, rest, final := "", separators[:0], true
	if len(separators) > 0 {
		separator = separators[len(separators)-1]
	}
	for i, candidate := range separators {
		if err := s.call.Step(1 + len(text)/256); err != nil {
			return err
		}
		if candidate == "" || strings.Contains(text, candidate) {
			separator, rest, final = candidate, separators[i+1:], candidate == ""
			break
		}
	}
	between := separator
	if s.keep {
		between = ""
	}
	var small []string
	pieces, err := s.pieces(text, separator)
	if err != nil {
		return err
	}
	for _, piece := range pieces {
		if utf16Length(piece) < s.size {
			if len(separators) == 0 && !s.keep {
				return js.ArgumentError("$recursiveCharacterTextSplitter: no separator is left to join the pieces with")
			}
			small = append(small, piece)
			continue
		}
		if err := s.merge(small, between); err != nil {
			return err
		}
		small = nil
		if final {
			s.chunks = append(s.chunks, piece)
		} else if err := s.split(piece, rest); err != nil {
			return err
		}
	}
	return s.merge(small, between)
}

// pieces cuts text at every separator; an empty separator cuts between characters. Empty pieces are left out.
func (s *textSplitter) pieces(text, separator string) ([]string, error) {
	if separator != "" && !s.keep {
		return slices.DeleteFunc(strings.Split(text, separator), func(piece string) bool { return piece == "" }), nil
	}
	var pieces []string
	for text != "" {
		if err := s.call.Step(1); err != nil {
			return nil, err
		}
		_, end := utf8.DecodeRuneInString(text)
		if separator != "" { // separators may overlap: each begins a piece, but not at the beginning of one
			if i := strings.Index(text[end:], separator); i >= 0 {
				end += i
			} else {
				end = len(text)
			}
		}
		pieces, text = append(pieces, text[:end]), text[end:]
	}
	return pieces, nil
}

// merge joins small pieces into chunks. A chunk begins with the end of the one before it.
func (s *textSplitter) merge(pieces []string, between string) error {
	gap := utf16Length(between)
	var current []string
	total := 0.0
	for _, piece := range pieces {
		if err := s.call.Step(1); err != nil {
			return err
		}
		length := utf16Length(piece)
		if total+length+float64(len(current))*gap > s.size && len(current) > 0 {
			if err := s.add(current, between); err != nil {
				return err
			}
			for total > s.overlap || total+length+float64(len(current))*gap > s.size && total > 0 {
				if len(current) == 0 {
					return js.ArgumentError("$recursiveCharacterTextSplitter: chunkOverlap is negative")
				}
				total -= utf16Length(current[0])
				current = current[1:]
			}
		}
		current = append(current, piece)
		total += length
	}
	return s.add(current, between)
}

// add makes a chunk, without the white space around it and unless nothing else is in it.
func (s *textSplitter) add(pieces []string, between string) error {
	chunk := js.TrimSpace(strings.Join(pieces, between))
	if chunk == "" {
		return nil
	}
	s.chunks = append(s.chunks, chunk)
	if err := s.call.Step(len(pieces)); err != nil {
		return err
	}
	return s.call.Grow(len(chunk))
}

// utf16Length is the length of a text as JavaScript counts it.
func utf16Length(text string) float64 {
	n := 0
	for _, r := range text {
		n++
		if r > 0xffff {
			n++
		}
	}
	return float64(n)
}
