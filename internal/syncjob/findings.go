package syncjob

import (
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
)

// findings collects everything that is wrong with a job, so that one answer shows it all.
type findings struct {
	failures []millrace.Failure
}

func (f *findings) add(failure millrace.Failure) { f.failures = append(f.failures, failure) }

func (f *findings) at(path, format string, args ...any) {
	f.add(millrace.Failure{Path: path, Message: fmt.Sprintf(format, args...)})
}

// expression adds what is wrong with an expression or template at path.
func (f *findings) expression(path string, err error) { f.add(expr.FailureOf(path, err)) }

// closest returns the name that was probably meant, or nothing when none is near.
func closest(name string, names []string) string {
	best, limit := "", len(name)/3+1
	for _, candidate := range names {
		if d := distance(name, candidate); d <= limit && candidate != name {
			best, limit = candidate, d-1
		}
	}
	return best
}

// distance is the number of letters to insert, remove or replace to get from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(row[j+1]+1, row[j]+1, diagonal+cost)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
