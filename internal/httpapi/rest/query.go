package rest

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace"
)

// Limits of one list's query.
const (
	maxFilters   = 100
	maxIn        = 999
	maxAllIn     = 5000   // of all filters together: the databases bound the parameters of a statement
	maxFieldName = 500    // bytes of a field with its members
	maxFilter    = 10_000 // bytes of a value
	maxWildcards = 20     // of a pattern: each may go through the whole text again
)

// ListQuery is what a list's query string says.
type ListQuery struct {
	millrace.Query
	None    bool     // it is for another environment's rows, of which there are none
	Columns []string // the members of rows that are shown; none: all
}

// queryParser reads the query strings of npm's qs and of curl: a=b, a[op]=b, a[op][0]=b, a[op][]=b, a[b][c]=d,
// sort_by[a]=desc.
type queryParser struct {
	own      millrace.EnvironmentID
	query    ListQuery
	failures []millrace.Failure
}

// ParseQuery reads a list's query string. The error is of KindInvalid and names every parameter that is wrong.
func ParseQuery(raw string, own millrace.EnvironmentID) (ListQuery, error) {
	p := &queryParser{own: own}
	p.query.Limit = millrace.MaxLimit
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		key, val, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(key)
		if err != nil {
			p.fail(key, "is not percent-encoded correctly")
			continue
		}
		text, err := url.QueryUnescape(val)
		if err != nil {
			p.fail(name, "its value is not percent-encoded correctly")
			continue
		}
		if !utf8.ValidString(name) || !utf8.ValidString(text) || strings.ContainsRune(name+text, 0) {
			p.fail(key, "is not text")
			continue
		}
		p.parameter(name, text)
	}
	p.environment()
	p.size()
	for i := range p.query.Filters {
		f := &p.query.Filters[i]
		if f.Op == millrace.OpEq && len(f.Values) > 1 {
			f.Op = millrace.OpIn
		}
		if len(f.Values) > maxIn {
			p.fail(f.Field, "has more than %d values", maxIn)
		}
	}
	return p.query, millrace.InvalidAll(p.failures)
}

// size bounds what the filters make the database do.
func (p *queryParser) size() {
	all := 0
	for _, f := range p.query.Filters {
		all += len(f.Values)
		if len(f.Field) > maxFieldName {
			p.fail(f.Field, "the name of a field is longer than %d bytes", maxFieldName)
		}
		for _, v := range f.Values {
			switch {
			case len(v) > maxFilter:
				p.fail(f.Field, "a value is longer than %d bytes", maxFilter)
			case f.Op == millrace.OpLike && strings.Count(v, "%") > maxWildcards:
				p.fail(f.Field, "the pattern has more than %d wildcards %%", maxWildcards)
			}
		}
	}
	if all > maxAllIn {
		p.fail("", "the filters have %d values together; at most %d are possible", all, maxAllIn)
	}
	for _, s := range p.query.Sort {
		if len(s.Field) > maxFieldName {
			p.fail(s.Field, "the name of a field is longer than %d bytes", maxFieldName)
		}
	}
}

func (p *queryParser) fail(path, format string, args ...any) {
	if len(p.failures) < MaxFailures {
		p.failures = append(p.failures, millrace.Failure{Path: millrace.Shorten(path), Message: fmt.Sprintf(format, args...)})
	}
}

func (p *queryParser) parameter(key, text string) {
	name, brackets, problem := SplitKey(key)
	if problem != "" {
		p.fail(key, "%s", problem)
		return
	}
	switch name {
	case "limit":
		p.limit(text)
	case "next_cursor":
		p.query.Cursor = text
	case "expand": // sent by some clients; what belongs to an object is always in it
	case "select":
		p.columns(text)
	case "sort":
		for field := range strings.SplitSeq(text, ",") {
			p.sort(strings.TrimPrefix(field, "-"), strings.HasPrefix(field, "-"))
		}
	case "sort_by":
		p.sortBy(brackets, text)
	default:
		p.filter(name, brackets, text)
	}
}

// SplitKey splits a[b][c] into a and its brackets, or says what is wrong with it.
func SplitKey(key string) (string, []string, string) {
	var brackets []string
	name, rest, found := strings.Cut(key, "[")
	if name == "" {
		return "", nil, "has no name"
	}
	for found {
		inner, after, closed := strings.Cut(rest, "]")
		if !closed || strings.Contains(inner, "[") {
			return "", nil, "has a bracket that is not closed"
		}
		brackets = append(brackets, inner)
		if after == "" {
			break
		}
		if after, found = strings.CutPrefix(after, "["); !found {
			return "", nil, "has text after a bracket"
		}
		rest = after
	}
	if len(brackets) > 5 {
		return "", nil, "has too many brackets"
	}
	return name, brackets, ""
}

func (p *queryParser) limit(text string) {
	if text == "" {
		return
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > millrace.MaxLimit {
		p.fail("limit", "must be a whole number from 1 to %d, not %q", millrace.MaxLimit, millrace.Shorten(text))
		return
	}
	p.query.Limit = n
}

// columns reads select=a,b.c.
func (p *queryParser) columns(text string) {
	for column := range strings.SplitSeq(text, ",") {
		switch column = strings.TrimSpace(column); {
		case column == "":
		case len(p.query.Columns) >= maxFilters || len(column) > maxFieldName:
			p.fail("select", "has more than %d columns, or one with a name of more than %d bytes", maxFilters, maxFieldName)
			return
		default:
			p.query.Columns = append(p.query.Columns, column)
		}
	}
}

func (p *queryParser) sort(field string, desc bool) {
	switch {
	case field == "":
	case len(p.query.Sort) >= 10:
		p.fail("sort", "has more than 10 fields")
	default:
		p.query.Sort = append(p.query.Sort, millrace.Sort{Field: field, Desc: desc})
	}
}

func (p *queryParser) sortBy(brackets []string, text string) {
	if len(brackets) == 0 {
		p.fail("sort_by", "needs a field in brackets, for example sort_by[created_at]=desc")
		return
	}
	field := strings.Join(brackets, ".")
	switch strings.ToLower(text) {
	case "asc":
		p.sort(field, false)
	case "desc":
		p.sort(field, true)
	default:
		p.fail("sort_by["+field+"]", "must be asc or desc, not %q", millrace.Shorten(text))
	}
}

// filter adds a condition. The brackets are, from the left: members of the field, an operator, an index.
func (p *queryParser) filter(field string, brackets []string, text string) {
	list := false
	if n := len(brackets); n > 0 && IsIndex(brackets[n-1]) {
		list, brackets = true, brackets[:n-1]
	}
	op := millrace.OpEq
	if n := len(brackets); n > 0 && isOperator(brackets[n-1]) {
		op, brackets = millrace.Operator(brackets[n-1]), brackets[:n-1]
	} else if list {
		op = millrace.OpIn // ids[]=1&ids[]=2
	}
	if slices.Contains(brackets, "") {
		p.fail(field, "has empty brackets that are not at the end")
		return
	}
	field = strings.Join(append([]string{field}, brackets...), ".")
	several := op == millrace.OpIn || op == millrace.OpNin
	if list && !several {
		p.fail(field, "the operator %s takes one value", op)
		return
	}
	values := []string{text}
	if several && !list {
		values = strings.Split(text, ",")
	}
	p.add(millrace.Filter{Field: field, Op: op, Values: values})
}

// add adds a condition, or its values to one that is there: a=1&a=2 means either, and the elements of one in come as
// parameters of their own.
func (p *queryParser) add(f millrace.Filter) {
	for i := range p.query.Filters {
		old := &p.query.Filters[i]
		repeats := f.Op == millrace.OpEq || f.Op == millrace.OpIn || f.Op == millrace.OpNin
		if old.Field == f.Field && old.Op == f.Op && repeats {
			old.Values = append(old.Values, f.Values...)
			return
		}
	}
	if len(p.query.Filters) >= maxFilters {
		p.fail(f.Field, "has more than %d filters", maxFilters)
		return
	}
	p.query.Filters = append(p.query.Filters, f)
}

// environment decides filters by environment_id here: a token sees one environment, so they keep all rows or none.
func (p *queryParser) environment() {
	if p.own == "" { // an admin sees all
		return
	}
	kept := p.query.Filters[:0]
	for _, f := range p.query.Filters {
		if f.Field != "environment_id" {
			kept = append(kept, f)
			continue
		}
		named := slices.ContainsFunc(f.Values, func(s string) bool { return strings.EqualFold(s, string(p.own)) })
		switch f.Op {
		case millrace.OpEq, millrace.OpIn:
			absent := f.Op == millrace.OpEq && f.Values[0] == ""
			p.query.None = p.query.None || (!named && !absent)
		case millrace.OpNe, millrace.OpNin:
			p.query.None = p.query.None || named
		case millrace.OpGt, millrace.OpGte, millrace.OpLt, millrace.OpLte, millrace.OpLike:
			p.fail("environment_id", "cannot be filtered with %s", f.Op)
		}
	}
	p.query.Filters = kept
}

// IsIndex reports whether what stands in brackets is an index, or nothing.
func IsIndex(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func isOperator(s string) bool {
	switch millrace.Operator(s) {
	case millrace.OpEq, millrace.OpNe, millrace.OpGt, millrace.OpGte, millrace.OpLt, millrace.OpLte, millrace.OpIn,
		millrace.OpNin, millrace.OpLike:
		return true
	}
	return false
}
