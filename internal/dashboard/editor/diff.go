package editor

import (
	"strings"
	"unicode/utf8"
)

// Difference is two texts side by side.
type Difference struct {
	Left, Right string // what they are
	Rows        []Row
	Whole       bool // there are no more rows
}

// Row is a row of two texts side by side.
type Row struct {
	Kind        string // same, changed, removed, added, gap
	Left, Right string
	From, To    int // the numbers of the lines, from 1; 0: there is none
	Gap         int // lines that are the same and are left out
}

// Bounds of a difference.
const (
	maxEdits   = 500   // lines; what differs more is shown as replaced
	maxRows    = 5_000 // that are shown
	maxShown   = 1_000 // characters of a line
	aroundEdit = 3     // lines that are the same
)

// Diff returns the rows of two texts, line by line. It reports whether they are all.
func Diff(left, right string) ([]Row, bool) {
	a, b := split(left), split(right)
	var rows []Row
	i, j := 0, 0
	for _, e := range append(edits(a, b), edit{len(a), len(b), 0, 0}) {
		rows = same(rows, a, i, j, e.a-i, e.a < len(a) || e.b < len(b) || e.removed+e.added > 0)
		i, j = e.a+e.removed, e.b+e.added
		for k := range max(e.removed, e.added) {
			row := Row{Kind: "changed"}
			if k < e.removed {
				row.From, row.Left = e.a+k+1, cut(a[e.a+k])
			} else {
				row.Kind = "added"
			}
			if k < e.added {
				row.To, row.Right = e.b+k+1, cut(b[e.b+k])
			} else {
				row.Kind = "removed"
			}
			rows = append(rows, row)
		}
		if len(rows) > maxRows {
			return rows[:maxRows], false
		}
	}
	return rows, true
}

func compare(leftTitle, left, rightTitle, right string) *Difference {
	d := &Difference{Left: leftTitle, Right: rightTitle}
	d.Rows, d.Whole = Diff(left, right)
	return d
}

func split(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

func cut(line string) string {
	if utf8.RuneCountInString(line) <= maxShown {
		return line
	}
	return string([]rune(line)[:maxShown]) + "…"
}

// same adds lines that are the same, without those in the middle of many.
func same(rows []Row, a []string, i, j, n int, more bool) []Row {
	head, tail := aroundEdit, aroundEdit
	if i == 0 && j == 0 {
		head = 0
	}
	if !more {
		tail = 0
	}
	for k := 0; k < n; k++ {
		if gap := n - head - tail; k == head && gap > 1 {
			rows = append(rows, Row{Kind: "gap", Gap: gap})
			k += gap - 1
			continue
		}
		rows = append(rows, Row{Kind: "same", From: i + k + 1, To: j + k + 1, Left: cut(a[i+k]), Right: cut(a[i+k])})
	}
	return rows
}

// edit replaces lines of a by lines of b.
type edit struct{ a, b, removed, added int }

// edits returns what makes b of a, by the algorithm of Myers between what is the same at both ends.
func edits(a, b []string) []edit {
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	x, y := a[head:len(a)-tail], b[head:len(b)-tail]
	if len(x) == 0 && len(y) == 0 {
		return nil
	}
	steps, ok := shortest(x, y)
	if !ok {
		return []edit{{head, head, len(x), len(y)}}
	}
	var out []edit
	for _, s := range steps {
		s.a, s.b = s.a+head, s.b+head
		if n := len(out) - 1; n >= 0 && out[n].a+out[n].removed == s.a && out[n].b+out[n].added == s.b {
			out[n].removed, out[n].added = out[n].removed+s.removed, out[n].added+s.added
			continue
		}
		out = append(out, s)
	}
	return out
}

// shortest returns single edits in order; false: there are more than maxEdits.
func shortest(a, b []string) ([]edit, bool) {
	most := min(maxEdits, len(a)+len(b))
	v := make([]int, 2*most+3)
	var trace [][]int
	for d := 0; d <= most; d++ {
		trace = append(trace, append([]int(nil), v[most-d:most+d+3]...))
		for k := -d; k <= d; k += 2 {
			x := v[most+1+k-1] + 1
			if k == -d || k != d && v[most+1+k-1] < v[most+1+k+1] {
				x = v[most+1+k+1]
			}
			y := x - k
			for x < len(a) && y < len(b) && a[x] == b[y] {
				x, y = x+1, y+1
			}
			v[most+1+k] = x
			if x >= len(a) && y >= len(b) {
				return walk(trace, len(a), len(b)), true
			}
		}
	}
	return nil, false
}

// walk follows the way back.
func walk(trace [][]int, x, y int) []edit {
	var out []edit
	for d := len(trace) - 1; d > 0; d-- {
		v, k := trace[d], x-y // v[i] is of the diagonal i-d-1
		before := k - 1
		if k == -d || k != d && v[k-1+d+1] < v[k+1+d+1] {
			before = k + 1
		}
		fromX := v[before+d+1]
		fromY := fromX - before
		if before == k+1 {
			out = append(out, edit{fromX, fromY, 0, 1})
		} else {
			out = append(out, edit{fromX, fromY, 1, 0})
		}
		x, y = fromX, fromY
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}
