package picture

import (
	"math"
	"strings"
	"time"
)

// FromMillis writes an instant, in milliseconds since the epoch, by a date/time
// picture and at an offset like +0530. Nil means ISO 8601 and UTC.
// A bad picture fails with D3130 to D3135.
func FromMillis(millis float64, picture, zone *string) (string, error) {
	if picture == nil && zone == nil {
		if t := time.UnixMilli(int64(millis)).UTC(); math.Abs(millis) <= maxMillis && t.Year() >= 0 && t.Year() <= 9999 {
			return t.Format("2006-01-02T15:04:05.000Z"), nil
		}
	}
	text := "[Y0001]-[M01]-[D01]T[H01]:[m01]:[s01].[f001][Z01:01t]"
	if picture != nil {
		text = *picture
	}
	w := &dateWriter{}
	if zone != nil {
		offset := parseInt(*zone)
		w.hours, w.minutes = math.Floor(offset/100), math.Mod(offset, 100)
	}
	parts, err := parseDatePicture(text)
	if err != nil {
		return "", err
	}
	w.date = newDate(math.Trunc(millis + (60*w.hours+w.minutes)*millisPerMinute))
	return w.write(parts)
}

// dateWriter writes one local time. The offset is taken apart as the digits of
// its number: -0530 becomes -6 hours and -30 minutes, as in the reference.
type dateWriter struct {
	date           date
	hours, minutes float64
}

func (w *dateWriter) write(parts []*datePart) (string, error) {
	var b strings.Builder
	for _, p := range parts {
		text, err := p.literal, error(nil)
		switch {
		case p.isLiteral:
		case p.isZone():
			text, err = w.zone(p)
		case p.isInteger():
			text, err = w.integer(p)
		default:
			text = w.other(p)
		}
		if err != nil {
			return "", err
		}
		if b.WriteString(text); b.Len() > maxOutput+maxPicture {
			return "", ErrLimit
		}
	}
	return b.String(), nil
}

func (w *dateWriter) integer(p *datePart) (string, error) {
	value := w.date.component(p.component)
	if p.component == 'Y' && p.yearDigits != -1 {
		value = math.Mod(value, powerOfTen(p.yearDigits))
	}
	if p.named && p.component != 'f' {
		return p.name(value)
	}
	if p.named { // fractional seconds take no name
		return "", ErrRange
	}
	return p.integer.format(value)
}

// name writes a month or a day of the week.
func (p *datePart) name(value float64) (string, error) {
	var names []string
	switch p.component {
	case 'M', 'x':
		names = monthNames()
	case 'F':
		names = dayNames()
	default:
		return "", fail("D3133", string(rune(p.component)))
	}
	if math.IsNaN(value) {
		if p.letters == caseTitle && !p.hasWidth {
			return "undefined", nil
		}
		return "", ErrRange
	}
	name := names[int(value)-1]
	switch p.letters {
	case caseUpper:
		name = strings.ToUpper(name)
	case caseLower:
		name = strings.ToLower(name)
	case caseTitle:
	}
	if p.hasWidth && float64(len(name)) > p.width {
		name = name[:int(max(p.width, 0))]
	}
	return name, nil
}

// zone writes the offset: with separators if the picture has regular ones, as
// hours with the minutes only if needed for one or two digits, else as digits.
func (w *dateWriter) zone(p *datePart) (string, error) {
	offset := w.hours*100 + w.minutes
	var text string
	var err error
	switch digits := p.integer.mandatory; {
	case p.integer.regular > 0 || digits == 3 || digits == 4:
		text, err = p.integer.format(offset)
	case digits == 1 || digits == 2:
		text, err = p.integer.format(w.hours)
		if err == nil && w.minutes != 0 {
			var minutes string
			minutes, err = FormatInteger(w.minutes, "00")
			text += ":" + minutes
		}
	case math.IsNaN(digits):
		return "", fail("D3134", nil)
	default:
		return "", fail("D3134", digits)
	}
	if err != nil {
		return "", err
	}
	if offset >= 0 {
		text = "+" + text
	}
	if p.component == 'z' {
		text = "GMT" + text
	}
	if offset == 0 && p.traditional {
		text = "Z"
	}
	return text, nil
}

// other writes the components that are neither numbers nor zones. An unknown
// letter with a presentation modifier is not an error in the reference.
func (w *dateWriter) other(p *datePart) string {
	switch p.component {
	case 'P':
		text := "am"
		if w.date.hour >= 12 {
			text = "pm"
		}
		if p.named && p.letters == caseUpper {
			return strings.ToUpper(text)
		}
		return text
	case 'C', 'E':
		return "ISO"
	}
	return "undefined"
}
