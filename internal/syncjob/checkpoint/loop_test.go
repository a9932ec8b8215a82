package checkpoint

import (
	"encoding/json"
	"fmt"
	"strconv"
	"testing"

	"github.com/millrace/millrace/jsonata"
)

func TestLoopMark(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		cursors string // one letter each: the cursor of the next page
		records string // one letter each: what the page holds
		want    int    // page at which the loop is noticed; 0: never
	}{
		{"moving", "abcdefghij", "0123456789", 0},
		{"stuck", "aaaaaa", "011111", 4},
		{"stuck cursor, moving records", "aaaaaaaa", "01234567", 0},
		{"circle of two", "abababababababab", "0121212121212121", 7},
		{"circle behind a tail", "xyzabcabcabcabcabcabcabc", "xyz012012012012012012012", 14},
	} {
		var m LoopMark
		got := 0
		for i := range c.cursors {
			circles, err := m.Circles(json.RawMessage(`"`+c.cursors[i:i+1]+`"`), recordsIn(`["`+c.records[i:i+1]+`"]`))
			if err != nil {
				t.Fatal(err)
			}
			if circles {
				got = i + 1
				break
			}
		}
		if (got == 0) != (c.want == 0) || got > c.want+4 {
			t.Errorf("%s: noticed at page %d, want %d or soon after", c.name, got, c.want)
		}
	}
}

func TestLoopsAreNoticedWithinFourRounds(t *testing.T) {
	t.Parallel()
	for length := 1; length <= 130; length++ {
		for tail := range 40 {
			var m LoopMark
			for page := 1; ; page++ {
				at := strconv.Itoa(page)
				if page > tail {
					at = "loop " + strconv.Itoa((page-tail)%length)
				}
				circles, err := m.Circles(json.RawMessage(`"`+at+`"`), recordsIn(`["`+at+`"]`))
				if err != nil {
					t.Fatal(err)
				}
				if circles {
					break
				}
				if page > 2*tail+4*length+4 {
					t.Fatalf("a loop of %d pages behind %d others is not noticed within %d pages", length, tail, page)
				}
			}
		}
	}
}

func recordsIn(text string) []jsonata.Value {
	v, err := jsonata.FromJSON([]byte(text))
	if err != nil {
		panic(fmt.Sprintf("test data %s: %v", text, err))
	}
	return v.(*jsonata.Array).Items()
}
