package fetch

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/millrace/millrace"
)

// defaultRangeSize is the page size of ranges when neither the caller nor the config names one: a range has to end
// somewhere.
const defaultRangeSize = 100

// rangePager asks for ranges with the header Range and reads Content-Range, or passes on the header Next-Range of
// APIs that give one.
type rangePager struct {
	sizing
	unit string
}

func parseRangePager(f field) pager {
	f.known(sizingKeys("range_unit")...)
	p := &rangePager{sizing: parseSizing(f, ""), unit: cmp.Or(f.get("range_unit").text(), "items")}
	if !validHeader("Range", p.unit) || strings.ContainsAny(p.unit, "= ") {
		f.get("range_unit").report("must be a word")
	}
	p.defaultLimit = defaultRangeSize
	return p
}

func (p *rangePager) format() string { return pageRange }

func (p *rangePager) prepare(_ context.Context, c *call, out *outgoing) error {
	if err := p.sizing.prepare(c, out); err != nil {
		return err
	}
	first := offsetOf(c)
	value := fmt.Sprintf("%s=%d-%d", p.unit, first, first+int64(p.limit(c))-1)
	if c.at != nil && len(c.at.Value) > 0 {
		if err := json.Unmarshal(c.at.Value, &value); err != nil || !validHeader("Range", value) {
			return millrace.Invalid("next_cursor", "is not a cursor of this list")
		}
	}
	out.headers.Set("Range", value)
	return nil
}

func (p *rangePager) turn(_ context.Context, c *call, _ *outgoing, in *incoming) (*cursor, *cursor, error) {
	if in.status == http.StatusRequestedRangeNotSatisfiable || p.ended(c, in, -1) {
		return nil, nil, nil
	}
	if verbatim := in.header.Get("Next-Range"); verbatim != "" {
		data, err := json.Marshal(verbatim)
		return p.mark(c, in, &cursor{Format: pageRange, Value: data}), nil, err
	}
	if c.at != nil && len(c.at.Value) > 0 {
		return nil, nil, nil
	}
	first := offsetOf(c)
	next := first + int64(in.count)
	last, total, known := contentRange(in.header.Get("Content-Range"))
	if known {
		next = last + 1
	}
	var prev *cursor
	if first > 0 {
		prev = p.mark(c, in, &cursor{Format: pageRange, Number: max(0, first-int64(p.limit(c)))})
	}
	// An API that answers 200 has ignored the range and sent everything.
	if !known && in.status != http.StatusPartialContent || total >= 0 && next >= total {
		return nil, prev, nil
	}
	return p.mark(c, in, &cursor{Format: pageRange, Number: next}), prev, nil
}

// contentRange reads "items 0-99/1234"; an unknown total is -1.
func contentRange(s string) (last, total int64, ok bool) { //nolint:nonamedreturns // two numbers are told apart by name
	if _, after, spaced := strings.Cut(strings.TrimSpace(s), " "); spaced {
		s = after
	}
	span, size, _ := strings.Cut(s, "/")
	_, end, _ := strings.Cut(span, "-")
	last, err := strconv.ParseInt(strings.TrimSpace(end), 10, 64)
	if err != nil || last < 0 {
		return 0, -1, false
	}
	if total, err = strconv.ParseInt(strings.TrimSpace(size), 10, 64); err != nil {
		total = -1
	}
	return last, total, true
}
