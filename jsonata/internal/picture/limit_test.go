package picture_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/jsonata/internal/picture"
)

func TestLimits(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0,", 30000)
	ptr := func(s string) *string { return &s }
	tests := map[string]func() error{
		"year of a billion digits": func() error { _, err := picture.FromMillis(0, ptr("[Y,1000000000]"), nil); return err },
		"many wide years": func() error {
			_, err := picture.FromMillis(0, ptr(strings.Repeat("[Y,1000000]", 1000)), nil)
			return err
		},
		"width to parse": func() error {
			_, _, err := picture.ToMillis("20180101", ptr("[Y,1000000000][M][D]"), 0)
			return err
		},
		"ambiguous parts": func() error {
			_, _, err := picture.ToMillis(strings.Repeat("1", 1000)+"x", ptr(strings.Repeat("[f]", 100)), 0)
			return err
		},
		"roman":                 func() error { _, err := picture.FormatInteger(1e300, "I"); return err },
		"roman infinity":        func() error { _, err := picture.FormatInteger(math.Inf(1), "I"); return err },
		"letters of infinity":   func() error { _, err := picture.FormatInteger(math.Inf(-1), "a"); return err },
		"words of infinity":     func() error { _, err := picture.FormatInteger(math.Inf(1), "w"); return err },
		"words of not a number": func() error { _, err := picture.FormatInteger(math.NaN(), "w"); return err },
		"many separators":       func() error { _, err := picture.FormatInteger(1, long+".0"); return err },
		"number with many separators": func() error {
			_, err := picture.FormatNumber(1, long+"0", nil)
			return err
		},
		"irregular separators": func() error { _, err := picture.FormatNumber(1, "0,00,"+long+"0.0,0", nil); return err },
		"101 decimals":         func() error { _, err := picture.FormatNumber(1, "0."+strings.Repeat("0", 101), nil); return err },
		"exponent of infinity": func() error { _, err := picture.FormatNumber(math.Inf(1), "0e0", nil); return err },
		"huge picture":         func() error { _, err := picture.FormatInteger(1, strings.Repeat("0", 1<<20)); return err },
		"long zero digit": func() error {
			_, err := picture.FormatNumber(1, strings.Repeat("0", 1000), map[string]string{"zero-digit": strings.Repeat("0", 1<<20)})
			return err
		},
		"long number in words": func() error {
			_, err := picture.ParseInteger(strings.Repeat("one ", 1<<18), "w")
			return err
		},
		"long number in letters": func() error {
			_, err := picture.ParseInteger(strings.Repeat("z", 1<<20), "a")
			return err
		},
	}
	for name, run := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			err := run()
			if took := time.Since(start); took > 3*time.Second {
				t.Errorf("took %v", took)
			}
			var coded *picture.Error
			if err != nil && !errors.Is(err, picture.ErrLimit) && !errors.Is(err, picture.ErrRange) && !errors.As(err, &coded) {
				t.Errorf("got untyped error %v", err)
			}
		})
	}
}

func FuzzPictures(f *testing.F) {
	f.Add("[Y0001]-[M01,2-3]T[H01]:[m]:[s].[f001][Z01:01t]", "2018-03-27T14:03:00.123Z", 1521801216617.0)
	f.Add("#,##0.00e0;(0)", "1,234", -1234.5)
	f.Add("[FNn,3-3] [Dwo] [MNn] [Y,*-2] [h][P]", "Tue 3rd May 2", 0.5)
	f.Add("##,##,#0;o", "12th", 1e21)
	f.Add("Ww;o", "one hundred and twenty-first", 121.0)
	f.Add("٠٠0", "+05:30", 8.64e15)
	f.Fuzz(func(t *testing.T, pic, text string, value float64) {
		if len(pic) > 1000 || len(text) > 1000 {
			return
		}
		check := func(err error) {
			var coded *picture.Error
			if err != nil && !errors.Is(err, picture.ErrLimit) && !errors.Is(err, picture.ErrRange) && !errors.As(err, &coded) {
				t.Errorf("got untyped error %v", err)
			}
		}
		_, err := picture.FormatNumber(value, pic, map[string]string{"zero-digit": text[:min(len(text), 2)]})
		check(err)
		_, err = picture.FormatNumber(value, pic, nil)
		check(err)
		_, err = picture.FormatInteger(value, pic)
		check(err)
		_, err = picture.ParseInteger(text, pic)
		check(err)
		_, err = picture.FromMillis(value, &pic, &text)
		check(err)
		_, _, err = picture.ToMillis(text, &pic, value)
		check(err)
		_, _, err = picture.ToMillis(text, nil, value)
		check(err)
		_, err = picture.FormatBase(value, float64(len(pic)))
		check(err)
	})
}
