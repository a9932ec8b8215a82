package lodash

import (
	"math"
	"slices"
	"unicode/utf8"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

// sortKeys are the values that an item is ordered by, and the place where it stood.
type sortKeys struct {
	item  jsonata.Value
	keys  []jsonata.Value
	place int
}

// orderBy sorts items by one or more iteratees. Only the word desc in orders reverses a key.
func orderBy(c *jsonata.Call, items []jsonata.Value, by []iteratee, orders []jsonata.Value) ([]jsonata.Value, error) {
	if err := c.Step(len(items) * max(len(by), 1)); err != nil {
		return nil, err
	}
	rows := make([]sortKeys, len(items))
	for i, item := range items {
		rows[i] = sortKeys{item: item, keys: make([]jsonata.Value, len(by)), place: i}
		for j, key := range by {
			var err error
			if rows[i].keys[j], err = key(item); err != nil {
				return nil, err
			}
			if list, ok := rows[i].keys[j].(*jsonata.Array); ok {
				if rows[i].keys[j], err = js.CallText(c, list); err != nil {
					return nil, err
				}
			}
		}
	}
	s := sorter{call: c, orders: orders}
	sortRows(rows, s.compare)
	out := make([]jsonata.Value, len(rows))
	for i, row := range rows {
		out[i] = row.item
	}
	return out, s.err
}

// sorter compares rows. After an error it leaves them where they are.
type sorter struct {
	call   *jsonata.Call
	orders []jsonata.Value
	err    error
}

func (s *sorter) compare(a, b sortKeys) int {
	if s.err == nil {
		s.err = s.call.Step(1)
	}
	for i := range a.keys {
		if s.err != nil {
			break
		}
		order := compareAscending(a.keys[i], b.keys[i])
		if order == 0 {
			continue
		}
		if i < len(s.orders) && s.orders[i] == "desc" {
			return -order
		}
		return order
	}
	return a.place - b.place
}

// shortSort is the length below which JavaScript engines sort by binary insertion. It shows only where keys of
// different types make the comparison contradict itself, and there the results are expected to agree.
const shortSort = 64

func sortRows(rows []sortKeys, compare func(a, b sortKeys) int) {
	if len(rows) >= shortSort {
		slices.SortStableFunc(rows, compare)
		return
	}
	for i := leadingRun(rows, compare); i < len(rows); i++ {
		row := rows[i]
		low, high := 0, i
		for low < high {
			middle := low + (high-low)/2
			if compare(row, rows[middle]) < 0 {
				high = middle
			} else {
				low = middle + 1
			}
		}
		copy(rows[low+1:i+1], rows[low:i])
		rows[low] = row
	}
}

// leadingRun returns how many rows at the start are in order already; a descending run is reversed.
func leadingRun(rows []sortKeys, compare func(a, b sortKeys) int) int {
	if len(rows) < 2 {
		return len(rows)
	}
	run := 2
	descending := compare(rows[1], rows[0]) < 0
	for run < len(rows) && (compare(rows[run], rows[run-1]) < 0) == descending {
		run++
	}
	if descending {
		slices.Reverse(rows[:run])
	}
	return run
}

// compareAscending puts null, undefined and NaN last, in this order, and compares everything else as JavaScript's
// operators < and > do.
func compareAscending(a, b jsonata.Value) int {
	if rankA, rankB := rank(a), rank(b); rankA != 0 || rankB != 0 {
		if rankA == rankNaN && rankB == rankNaN {
			return 1
		}
		return rankA - rankB
	}
	textA, okA := primitiveText(a)
	textB, okB := primitiveText(b)
	if okA && okB {
		return compareText(textA, textB)
	}
	x, y := js.Number(a), js.Number(b)
	switch {
	case x > y:
		return 1
	case x < y:
		return -1
	}
	return 0
}

const rankNaN = 3

func rank(v jsonata.Value) int {
	switch v := v.(type) {
	case jsonata.Null:
		return 1
	case nil:
		return 2
	case float64:
		if math.IsNaN(v) {
			return rankNaN
		}
	}
	return 0
}

// primitiveText returns the text that a value is compared as, unless it is compared as a number.
func primitiveText(v jsonata.Value) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case *jsonata.Object, *jsonata.Function:
		return js.ObjectText, true
	}
	return "", false
}

// compareText orders text by UTF-16 code units: characters outside the basic plane come before U+E000.
func compareText(a, b string) int {
	if a == b {
		return 0
	}
	for a != "" && b != "" {
		x, sizeA := utf8.DecodeRuneInString(a)
		y, sizeB := utf8.DecodeRuneInString(b)
		if x != y {
			return int(utf16Weight(x)) - int(utf16Weight(y))
		}
		a, b = a[sizeA:], b[sizeB:]
	}
	return len(a) - len(b)
}

func utf16Weight(r rune) rune {
	switch {
	case r >= 0x10000:
		return 0xd800 + r // behind all characters below the surrogates, in their own order
	case r >= 0xe000:
		return 0x200000 + r
	}
	return r
}
