package millrace

import (
	"fmt"
	"time"
)

// Time is a point in time in microseconds since 1970 UTC; the zero value means "not yet". It is stored as an integer
// and travels as ISO 8601 in UTC with milliseconds and Z, or null.
type Time int64

const wireTime = "2006-01-02T15:04:05.000Z"

// TimeOf converts from the standard library's time.
func TimeOf(t time.Time) Time {
	if t.IsZero() {
		return 0
	}
	return Time(t.UnixMicro())
}

// Std converts to the standard library's time, in UTC.
func (t Time) Std() time.Time {
	if t == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(t)).UTC()
}

// Add returns t later by d.
func (t Time) Add(d time.Duration) Time { return t + Time(d.Microseconds()) }

// String formats t as it travels; the zero value is the empty string.
func (t Time) String() string {
	if t == 0 {
		return ""
	}
	return t.Std().Format(wireTime)
}

// MarshalJSON writes the wire format, null for the zero value.
func (t Time) MarshalJSON() ([]byte, error) {
	if t == 0 {
		return []byte("null"), nil
	}
	return []byte(`"` + t.String() + `"`), nil
}

// UnmarshalJSON reads any ISO 8601 date-time with a zone, or null.
func (t *Time) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*t = 0
		return nil
	}
	if len(b) < 2 || b[0] != '"' || b[len(b)-1] != '"' {
		return fmt.Errorf("time %s is not a string", b)
	}
	parsed, err := time.Parse(time.RFC3339Nano, string(b[1:len(b)-1]))
	if err != nil {
		return fmt.Errorf("parse time: %w", err)
	}
	*t = TimeOf(parsed)
	return nil
}
