package picture

import (
	"fmt"
	"html/template"
	"strings"
	"time"
)

// Strip draws how often something happened in each part of a time that ends now, as bars. What happened before from is not known: that
// part is hatched.
func Strip(times []time.Time, now time.Time, whole time.Duration, from time.Time, title string) template.HTML {
	const parts, height = 60, 24
	var counts [parts]int
	most := 0
	for _, at := range times {
		i := parts - 1 - int(now.Sub(at)*parts/whole)
		if i < 0 || i >= parts {
			continue
		}
		counts[i]++
		most = max(most, counts[i])
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="strip" viewBox="0 0 %d %d" preserveAspectRatio="none" role="img" aria-label="%s"><title>%s</title>`,
		parts*4, height, template.HTMLEscapeString(title), template.HTMLEscapeString(title))
	if unknown := parts - int(now.Sub(from)*parts/whole); unknown > 0 && !from.IsZero() {
		fmt.Fprintf(&b, `<rect class="unknown" x="0" y="0" width="%d" height="%d"/>`, min(unknown, parts)*4, height)
	}
	for i, n := range counts {
		if n == 0 {
			continue
		}
		h := max(1, n*height/most)
		fmt.Fprintf(&b, `<rect class="bar" x="%d" y="%d" width="3" height="%d"/>`, i*4, height-h, h)
	}
	fmt.Fprintf(&b, `<rect class="base" x="0" y="%d" width="%d" height="1"/></svg>`, height-1, parts*4)
	return template.HTML(b.String()) //nolint:gosec // the title is escaped, the rest are numbers
}

// Span is a time in which something was under way.
type Span struct {
	From, To time.Time // To zero: it still is
	Class    string    // ok, failed, wait, work
	Title    string
}

// Bar draws spans between two times. A span that is too short to be seen is drawn all the same.
func Bar(spans []Span, from, to time.Time) template.HTML {
	const width, height, least = 1000, 14, 4
	whole := max(to.Sub(from), time.Millisecond)
	x := func(at time.Time) int {
		return int(min(max(at.Sub(from), 0), whole) * width / whole)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="timebar" viewBox="0 0 %d %d" preserveAspectRatio="none" role="img" aria-label="%s">`, width, height, template.HTMLEscapeString(titles(spans)))
	for _, s := range spans {
		end := s.To
		if end.IsZero() {
			end = to
		}
		left, right := x(s.From), x(end)
		if right-left < least {
			left = min(left, width-least)
			right = left + least
		}
		fmt.Fprintf(&b, `<rect class="%s" x="%d" y="0" width="%d" height="%d"><title>%s</title></rect>`,
			template.HTMLEscapeString(s.Class), left, right-left, height, template.HTMLEscapeString(s.Title))
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // texts are escaped, the rest are numbers
}

func titles(spans []Span) string {
	const shown = 5
	var out []string
	for i, s := range spans {
		if i == shown {
			out = append(out, fmt.Sprintf("and %d more", len(spans)-shown))
			break
		}
		out = append(out, s.Title)
	}
	return strings.Join(out, "; ")
}
