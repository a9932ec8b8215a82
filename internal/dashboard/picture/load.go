package picture

import (
	"fmt"
	"html/template"
	"strings"
	"time"
)

// Load draws how many runs begin in each part of a time as a row of cells, the darker the more; most is the largest number of all rows.
func Load(counts []int, most int, from time.Time, step time.Duration, title string) template.HTML {
	const size, shades = 10, 4
	total := 0
	for _, n := range counts {
		total += n
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="load" viewBox="0 0 %d %d" preserveAspectRatio="none" role="img" aria-label="%s">`,
		len(counts)*size, size, template.HTMLEscapeString(fmt.Sprintf("%s: %d runs", title, total)))
	for i, n := range counts {
		shade := 0
		if n > 0 && most > 0 {
			shade = 1 + (n*shades-1)/most
		}
		fmt.Fprintf(&b, `<rect class="l%d" x="%d" y="0" width="%d" height="%d"><title>%s: %d</title></rect>`,
			min(shade, shades), i*size, size-1, size, from.Add(time.Duration(i)*step).Format("15:04"), n)
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // the title is escaped, the rest are numbers
}
