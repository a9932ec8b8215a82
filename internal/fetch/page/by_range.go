package page

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/field"
	"github.com/millrace/millrace/internal/fetch/wire"
	"github.com/millrace/millrace/jsonata"
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

func parseRangePager(f field.Field) Pager {
	f.Known(sizingKeys("range_unit")...)
	p := &rangePager{sizing: parseSizing(f, ""), unit: cmp.Or(f.Get("range_unit").Text(), "items")}
	if !wire.ValidHeader("Range", p.unit) || strings.ContainsAny(p.unit, "= ") {
		f.Get("range_unit").Report("must be a word")
	}
	p.defaultLimit = defaultRangeSize
	return p
}

func (p *rangePager) Format() string { return FormatRange }

func (p *rangePager) Position(*List) expr.Value { return jsonata.NewObject(0) }

func (p *rangePager) Prepare(_ context.Context, l *List, out *wire.Request) error {
	if err := p.prepare(l, out); err != nil {
		return err
	}
	first := offsetOf(l)
	value := fmt.Sprintf("%s=%d-%d", p.unit, first, first+int64(p.limit(l))-1)
	if l.At != nil && len(l.At.Value) > 0 {
		if err := json.Unmarshal(l.At.Value, &value); err != nil || !wire.ValidHeader("Range", value) {
			return millrace.Invalid("next_cursor", "is not a cursor of this list")
		}
	}
	out.Headers.Set("Range", value)
	return nil
}

func (p *rangePager) Turn(_ context.Context, l *List, _ *wire.Request, in *wire.Response) (*Cursor, *Cursor, error) {
	if in.Status == http.StatusRequestedRangeNotSatisfiable || p.ended(l, in, -1) {
		return nil, nil, nil
	}
	if verbatim := in.Header.Get("Next-Range"); verbatim != "" {
		data, err := json.Marshal(verbatim)
		return p.mark(l, in, &Cursor{Format: FormatRange, Value: data}), nil, err
	}
	if l.At != nil && len(l.At.Value) > 0 {
		return nil, nil, nil
	}
	first := offsetOf(l)
	next := first + int64(in.Count)
	last, total, known := contentRange(in.Header.Get("Content-Range"))
	if known {
		next = last + 1
	}
	var prev *Cursor
	if first > 0 {
		prev = p.mark(l, in, &Cursor{Format: FormatRange, Number: max(0, first-int64(p.limit(l)))})
	}
	// An API that responds with 200 has ignored the range and sent everything.
	if !known && in.Status != http.StatusPartialContent || total >= 0 && next >= total {
		return nil, prev, nil
	}
	return p.mark(l, in, &Cursor{Format: FormatRange, Number: next}), prev, nil
}

// EndsAt reports whether a status says that there is nothing more: a range behind the last record is how some APIs do.
func EndsAt(p Pager, status int) bool {
	_, isRange := p.(*rangePager)
	return isRange && status == http.StatusRequestedRangeNotSatisfiable
}

// contentRange reads "items 0-99/1234"; an unknown total is -1.
func contentRange(s string) (last, total int64, ok bool) { //nolint:nonamedreturns // two numbers need names
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
