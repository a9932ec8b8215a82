package picture

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// matchDate reads text by the parts of a picture. It returns nil if the text
// does not fit, and the errors of parts that cannot be read back.
//
// The reference turns the picture into a case-insensitive regular expression.
// This does the same work directly: each part proposes where it may end, the
// longest first, until the rest fits as well.
func matchDate(parts []*datePart, text string) (components, error) {
	m := &dateMatcher{parts: make([]partMatcher, len(parts)), text: toUnits(text)}
	for i, p := range parts {
		matcher, err := p.matcher()
		if err != nil {
			return nil, err
		}
		m.parts[i] = matcher
	}
	m.ends = make([]int, len(parts))
	if !m.match(0, 0) {
		return nil, m.err
	}
	found := components{}
	start := 0
	for i, p := range parts {
		part := m.text[start:m.ends[i]].String()
		start = m.ends[i]
		if p.isLiteral {
			continue
		}
		value, known, err := p.read(part)
		if err != nil {
			return nil, err
		}
		found[p.component] = nil
		if known {
			found.set(p.component, value)
		}
	}
	return found, nil
}

// partMatcher proposes ends for a part that starts at an offset, best first,
// until try accepts one.
type partMatcher func(text units, at int, try func(end int) bool) bool

type dateMatcher struct {
	parts []partMatcher
	text  units
	ends  []int
	work  int
	err   error
}

func (m *dateMatcher) match(part, at int) bool {
	if part == len(m.parts) {
		return at == len(m.text)
	}
	return m.parts[part](m.text, at, func(end int) bool {
		if m.work++; m.work > maxTries {
			m.err = ErrLimit
		}
		if m.err != nil {
			return false
		}
		m.ends[part] = end
		return m.match(part+1, end)
	})
}

func (p *datePart) matcher() (partMatcher, error) {
	switch {
	case p.isLiteral:
		return matchLiteral(toUnits(p.literal)), nil
	case p.isZone():
		return p.matchZone()
	case p.component == 'f':
		return matchRun(isASCIIDigit, math.NaN()), nil
	case p.integer != nil:
		return p.integer.matcher()
	case p.component == 'M' || p.component == 'x' || p.component == 'F' || p.component == 'P':
		return matchRun(isASCIILetter, math.NaN()), nil
	}
	return nil, fail("D3133", string(rune(p.component)))
}

func isASCIIDigit(c uint16) bool { return c >= '0' && c <= '9' }

func isASCIILetter(c uint16) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func isRomanLetter(c uint16) bool {
	return c < 0x80 && strings.IndexByte("MDCLXVImdclxvi", byte(c)) >= 0
}

// matchLiteral compares without regard to case.
func matchLiteral(literal units) partMatcher {
	return func(text units, at int, try func(int) bool) bool {
		if len(text)-at < len(literal) {
			return false
		}
		for i, c := range literal {
			if other := text[at+i]; c != other && foldUnit(c) != foldUnit(other) {
				return false
			}
		}
		return try(at + len(literal))
	}
}

// runEnd returns where a run of accepted units ends.
func runEnd(text units, at int, accept func(uint16) bool) int {
	for at < len(text) && accept(text[at]) {
		at++
	}
	return at
}

// matchRun matches exactly width units, or one or more if width is 0 or NaN.
func matchRun(accept func(uint16) bool, width float64) partMatcher {
	return func(text units, at int, try func(int) bool) bool {
		end := runEnd(text, at, accept)
		if width != 0 && !math.IsNaN(width) {
			return width > 0 && float64(end-at) >= width && try(at+int(width))
		}
		for ; end > at; end-- {
			if try(end) {
				return true
			}
		}
		return false
	}
}

func (p *integerPicture) matcher() (partMatcher, error) {
	switch p.style {
	case styleLetters:
		return matchRun(isASCIILetter, math.NaN()), nil
	case styleRoman:
		return matchRun(isRomanLetter, math.NaN()), nil
	case styleWords:
		return matchWords(), nil
	case styleDecimal:
		digits := matchRun(isASCIIDigit, p.parseWidth)
		if !p.ordinal {
			return digits, nil
		}
		return func(text units, at int, try func(int) bool) bool {
			return digits(text, at, func(end int) bool {
				if len(text)-end < 2 {
					return false
				}
				switch strings.ToLower(text[end : end+2].String()) {
				case "th", "st", "nd", "rd":
					return try(end + 2)
				}
				return false
			})
		}, nil
	case styleSequence:
	}
	return nil, fail("D3130", p.token)
}

// matchWords matches a run of number words, "and", hyphens, commas and spaces.
// A word is taken as long as possible, as no word is made of two others.
func matchWords() partMatcher {
	vocabulary := newVocabulary().values()
	next := func(text units, at int) int {
		if strings.ContainsRune("-, ", rune(text[at])) {
			return at + 1
		}
		longest := at
		ahead := strings.ToLower(text[at:min(at+len("Seventeenth"), len(text))].String())
		for _, w := range vocabulary {
			if strings.HasPrefix(ahead, w.word) {
				longest = max(longest, at+len(w.word))
			}
		}
		if strings.HasPrefix(ahead, "and") {
			longest = max(longest, at+len("and"))
		}
		return longest
	}
	return func(text units, at int, try func(int) bool) bool {
		var ends []int
		for at < len(text) {
			end := next(text, at)
			if end == at {
				break
			}
			ends = append(ends, end)
			at = end
		}
		for _, end := range slices.Backward(ends) {
			if try(end) {
				return true
			}
		}
		return false
	}
}

// matchZone matches a signed number, with the separator and a second number if
// the picture has a regular separator. The reference puts the separator into its
// regular expression unchanged, so a dot matches anything and others are errors.
func (p *datePart) matchZone() (partMatcher, error) {
	var sep units
	if p.integer.regular > 0 {
		sep = toUnits(p.integer.separators[0].text)
		if len(sep) == 1 && strings.ContainsRune(`+*?()[|^$\`, rune(sep[0])) {
			return nil, ErrRange
		}
	}
	anySep := sep.at(0, units{'.'})
	return func(text units, at int, try func(int) bool) bool {
		if p.component == 'z' {
			if !strings.EqualFold(text[at:min(at+3, len(text))].String(), "GMT") {
				return false
			}
			at += 3
		}
		if at == len(text) || text[at] != '+' && text[at] != '-' {
			return false
		}
		at++
		for end := runEnd(text, at, isASCIIDigit); end > at; end-- {
			if len(sep) == 0 {
				if try(end) {
					return true
				}
				continue
			}
			if end+len(sep) > len(text) || !anySep && text[end:end+len(sep)].String() != sep.String() {
				continue
			}
			if matchRun(isASCIIDigit, math.NaN())(text, end+len(sep), try) {
				return true
			}
		}
		return false
	}, nil
}

// read turns the text of a part into a value. A name that means nothing has no
// value and is no error.
func (p *datePart) read(text string) (float64, bool, error) {
	switch {
	case p.isZone():
		return p.readZone(text), true, nil
	case p.component == 'f':
		fraction, err := strconv.ParseFloat("0."+text[:min(3, len(text))], 64)
		return fraction * 1000, err == nil, nil
	case p.integer != nil:
		value, err := p.integer.parse(text)
		return value, true, err
	case p.component == 'P':
		switch text {
		case "am", "AM":
			return 0, true, nil
		case "pm", "PM":
			return 1, true, nil
		}
		return 0, false, nil
	}
	names := monthNames()
	if p.component == 'F' {
		names = dayNames()
	}
	for i, name := range slices.Backward(names) {
		if p.hasWidth && p.width != 0 && float64(len(name)) > p.width {
			name = name[:int(max(p.width, 0))]
		}
		if name == text {
			return float64(i + 1), true, nil
		}
	}
	return 0, false, nil
}

// readZone returns an offset in minutes. Only the hours carry the sign.
func (p *datePart) readZone(text string) float64 {
	if p.component == 'z' {
		text = text[3:]
	}
	hours, minutes := text, "0"
	switch {
	case p.integer.regular > 0:
		var found bool
		if hours, minutes, found = strings.Cut(text, p.integer.separators[0].text); !found {
			return math.NaN()
		}
	case len(text) > 3:
		hours, minutes = text[:3], text[3:]
	}
	return parseInt(hours)*60 + parseInt(minutes)
}
