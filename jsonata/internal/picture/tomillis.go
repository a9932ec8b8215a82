package picture

import (
	"math"
	"strings"
)

// ToMillis reads an instant from text, by a date/time picture or, if that is
// nil, as ISO 8601. What the text leaves open is taken from now, which is in
// milliseconds like the result. The flag is false if the text does not fit the
// picture. Text that is not ISO 8601 fails with D3110, a picture that cannot be
// read back with D3130 to D3136.
func ToMillis(text string, picture *string, now float64) (float64, bool, error) {
	if picture == nil {
		millis, err := parseISO(text)
		return millis, err == nil, err
	}
	parts, err := parseDatePicture(*picture)
	if err != nil {
		return 0, false, err
	}
	found, err := matchDate(parts, text)
	if err != nil || len(found) == 0 {
		return 0, false, err
	}
	millis, err := found.instant(newDate(now))
	return millis, err == nil, err
}

// components are the values that were read, by letter. A letter with the value
// nil was in the picture but its text had no meaning.
type components map[uint16]*float64

func (c components) has(letter uint16) bool { return c[letter] != nil }

// get returns the value, or NaN.
func (c components) get(letter uint16) float64 {
	if v := c[letter]; v != nil {
		return *v
	}
	return math.NaN()
}

func (c components) set(letter uint16, value float64) { c[letter] = &value }

// given reports whether the component has a value that counts when the kind of
// date is decided. Zero does not: a picture with month 00 has no month.
func (c components) given(letter uint16) bool {
	v := c[letter]
	return v != nil && *v != 0 && !math.IsNaN(*v)
}

// only reports whether at least one letter of those wanted is given, and none
// of the others.
func (c components) only(wanted, all string) bool {
	some := false
	for i := range len(all) {
		if !c.given(uint16(all[i])) {
			continue
		}
		if strings.IndexByte(wanted, all[i]) < 0 {
			return false
		}
		some = true
	}
	return some
}

// instant finds out which combination of components was given, fills it up and
// computes the time.
func (c components) instant(now date) (float64, error) {
	const dates, times = "YXMxWwdD", "PHhmsf"
	monthDate := c.only("YMD", dates)
	yearDay := !monthDate && c.only("Yd", dates)
	monthWeek := c.only("Xxw", dates)
	yearWeek := !monthWeek && c.only("XW", dates)
	halfDay := !c.only("Hmsf", times) && c.only("Phmsf", times)
	order := "YMD"
	switch {
	case yearDay:
		order = "YD"
	case monthWeek:
		order = "XxwF"
	case yearWeek:
		order = "XWF"
	}
	if halfDay {
		order += "Phmsf"
	} else {
		order += "Hmsf"
	}
	if err := c.fill(order, now); err != nil {
		return 0, err
	}
	if monthWeek || yearWeek {
		return 0, fail("D3136", nil)
	}
	return c.compute(yearDay, halfDay), nil
}

// fill completes the components in order: before the first given one from now,
// after the last one with their lowest value. A gap fails with D3136.
func (c components) fill(order string, now date) error {
	started, ended := false, false
	for i := range len(order) {
		letter := uint16(order[i])
		switch {
		case c.has(letter) && ended:
			return fail("D3136", nil)
		case c.has(letter):
			started = true
		case started:
			lowest := 0.0
			if letter == 'M' || letter == 'D' {
				lowest = 1
			}
			c.set(letter, lowest)
			ended = true
		default:
			c.set(letter, now.component(letter))
		}
	}
	return nil
}

func (c components) compute(yearDay, halfDay bool) float64 {
	month, day := 0.0, c.get('D')
	if m := c.get('M'); m > 0 {
		month = m - 1
	}
	if yearDay {
		derived := newDate(clip(utc(c.get('Y'), 0, 1) + (c.get('d')-1)*millisPerDay))
		month, day = derived.month, derived.day
	}
	hour := c.get('H')
	if halfDay {
		if hour = c.get('h'); hour == 12 {
			hour = 0
		}
		if c.get('P') == 1 {
			hour += 12
		}
	}
	millis := utcTime(c.get('Y'), month, day, hour, c.get('m'), c.get('s'), c.get('f'))
	for _, zone := range []uint16{'Z', 'z'} {
		if c.given(zone) {
			return millis - c.get(zone)*millisPerMinute
		}
	}
	return millis
}
