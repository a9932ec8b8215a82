package picture

import (
	"math"
	"strings"
)

// datePart is a literal or one marker of a date/time picture.
type datePart struct {
	isLiteral bool
	literal   string
	component uint16

	named       bool // written as a name, in the given case
	letters     letterCase
	traditional bool    // modifier t: Z for the time zone offset zero
	hasWidth    bool    // a maximal width was given
	width       float64 // and is this, or NaN
	yearDigits  float64 // digits that a year is cut to, or -1
	integer     *integerPicture
}

// parseDatePicture takes a picture apart. It fails with D3132 for an unknown
// component, D3135 for a bracket that is not closed and D3131 for bad digits.
func parseDatePicture(picture string) ([]*datePart, error) {
	if len(picture) > maxPicture {
		return nil, ErrLimit
	}
	var parts []*datePart
	literal := func(text string) {
		if text != "" {
			parts = append(parts, &datePart{isLiteral: true, literal: strings.ReplaceAll(text, "]]", "]")})
		}
	}
	rest := picture
	for {
		open := strings.IndexByte(rest, '[')
		if open < 0 {
			literal(rest)
			return parts, nil
		}
		literal(rest[:open])
		rest = rest[open+1:]
		if strings.HasPrefix(rest, "[") {
			literal("[")
			rest = rest[1:]
			continue
		}
		end := strings.IndexByte(rest, ']')
		if end < 0 {
			return nil, fail("D3135", nil)
		}
		part, err := parseMarker(rest[:end])
		if err != nil {
			return nil, err
		}
		// A number directly after a number must have a known width to be
		// read back.
		if part.integer != nil && !part.isZone() && len(parts) > 0 && parts[len(parts)-1].integer != nil {
			previous := parts[len(parts)-1].integer
			previous.parseWidth = previous.mandatory
		}
		parts = append(parts, part)
		rest = rest[end+1:]
	}
}

// parseMarker parses the text between the brackets.
func parseMarker(text string) (*datePart, error) {
	marker := toUnits(strings.Join(strings.FieldsFunc(text, isSpace), ""))
	p := &datePart{width: math.NaN(), yearDigits: -1}
	if len(marker) == 0 {
		return nil, fail("D3132", "")
	}
	p.component = marker[0]
	format, minimum := marker[1:], math.NaN()
	if comma := marker.lastIndex(units{','}); comma >= 0 {
		minimum = p.setWidths(marker[comma+1:].String())
		format = marker[1:max(comma, 1)]
		if comma == 0 { // the reference takes substring(1, 0), which swaps the two
			format = marker[:1]
		}
	}
	modifier := uint16(0)
	if last := len(format) - 1; last > 0 && strings.ContainsRune("atco", rune(format[last])) {
		modifier, format = format[last], format[:last]
	}
	presentation := format.String()
	if presentation == "" {
		if presentation = defaultPresentation(p.component); presentation == "" {
			return nil, fail("D3132", marker[:1].String())
		}
	}
	p.traditional = modifier == 't'
	return p, p.setPresentation(presentation, modifier, minimum)
}

// setWidths reads the width modifier, "min" or "min-max", and returns the
// minimum. A star sets no width.
func (p *datePart) setWidths(text string) float64 {
	lower, upper, ranged := strings.Cut(text, "-")
	if ranged && upper != "*" {
		p.hasWidth, p.width = true, parseInt(upper)
	}
	return parseInt(lower)
}

func defaultPresentation(component uint16) string {
	switch component {
	case 'Y', 'M', 'D', 'd', 'W', 'w', 'X', 'x', 'H', 'h', 'f':
		return "1"
	case 'F', 'P', 'C', 'E':
		return "n"
	case 'm', 's':
		return "01"
	case 'Z', 'z':
		return "01:01"
	}
	return ""
}

func (p *datePart) isZone() bool { return p.component == 'Z' || p.component == 'z' }

func (p *datePart) isInteger() bool {
	return p.component < 0x80 && strings.IndexByte("YMDdFWwXxHhmsf", byte(p.component)) >= 0
}

func (p *datePart) setPresentation(presentation string, modifier uint16, minimum float64) error {
	switch {
	case presentation[0] == 'n':
		p.named = true
	case presentation[0] == 'N':
		p.named, p.letters = true, caseUpper
		if strings.HasPrefix(presentation, "Nn") {
			p.letters = caseTitle
		}
	case p.isInteger():
		pattern := presentation
		if modifier != 0 {
			pattern += ";" + string(rune(modifier))
		}
		if err := p.setInteger(pattern); err != nil {
			return err
		}
		p.setDigits(minimum)
	}
	if p.isZone() {
		return p.setInteger(presentation)
	}
	return nil
}

func (p *datePart) setInteger(pattern string) error {
	integer, err := parseIntegerPicture(pattern)
	p.integer = integer
	return err
}

// setDigits applies the width to the number of digits. A year is cut to its
// maximal width, or else to the digits of its pattern if these are two or more.
func (p *datePart) setDigits(minimum float64) {
	if p.integer.mandatory < minimum {
		p.integer.mandatory = minimum
	}
	if p.component != 'Y' {
		return
	}
	if p.hasWidth {
		p.yearDigits = p.width
		p.integer.mandatory = p.width
	} else if digits := p.integer.mandatory + p.integer.optional; digits >= 2 {
		p.yearDigits = digits
	}
}
