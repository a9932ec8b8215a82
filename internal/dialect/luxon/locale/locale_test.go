package locale

import (
	"strings"
	"testing"
)

func TestEveryLanguageDecodes(t *testing.T) {
	t.Parallel()
	table := &Table{}
	for line := range strings.Lines(lines) {
		tag, _, _ := strings.Cut(line, " ")
		d := table.decode(tag)
		if d == nil {
			t.Errorf("language %s does not decode", tag)
			continue
		}
		for _, length := range []string{"long", "short", "narrow"} {
			if len(d.Months[length]) != 12 || len(d.Weekdays[length]) != 7 || len(d.Eras[length]) != 2 {
				t.Errorf("language %s lacks %s names", tag, length)
			}
		}
		if len(d.Periods) != 2 && len(d.Periods) != 24 || len(d.GMT) < 2 || d.Formats["y1M1d1"] == "" {
			t.Errorf("language %s is incomplete: %d periods", tag, len(d.Periods))
		}
	}
}
