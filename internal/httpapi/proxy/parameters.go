package proxy

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/jsonata"
)

const (
	maxForwarded = 500 // parameters of a call
	maxExcluded  = 100 // fields to leave out of its response
)

// proxyQuery is the query of a call to a provider: what is meant for us, and what is forwarded.
type proxyQuery struct {
	account millrace.IntegratedAccountID
	cursor  string
	limit   string
	pages   bool // the caller wants a page
	forward *expr.Object

	exclude     []string // dotted members to leave out of the response
	format      string   // normalized, or raw
	passthrough bool     // the body is a file
}

// parseProxyQuery reads the query of a call. The error is of KindInvalid and names every parameter that is wrong. own is the only account
// that the call may be for; empty: it may be for any.
func parseProxyQuery(raw string, own millrace.IntegratedAccountID) (*proxyQuery, error) {
	tree, failures := parseForward(raw)
	q := &proxyQuery{forward: jsonata.NewObject(len(tree.order)), format: "normalized"}
	fail := func(path, format string, args ...any) {
		failures = append(failures, millrace.Failure{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	for _, key := range tree.order {
		member := tree.members[key]
		text := member.text()
		switch {
		case key == "integrated_account_id":
			q.account = millrace.IntegratedAccountID(strings.ToLower(text))
		case key == "next_cursor":
			q.cursor, q.pages = text, true
		case key == "remote_query":
			// below: it wins over the rest
		case strings.HasPrefix(key, "truto_"):
			q.control(key, text, fail)
		default:
			if key == "limit" {
				q.limit, q.pages = text, true
			}
			q.forward.Set(key, member.value())
		}
	}
	if remote, ok := tree.members["remote_query"]; ok {
		o, isObject := remote.value().(*expr.Object)
		if !isObject {
			fail("remote_query", "needs the name of a parameter in brackets, for example remote_query[status]=open")
			o = jsonata.NewObject(0)
		}
		for key, v := range o.All() {
			q.forward.Set(key, v)
		}
	}
	switch {
	case own != "" && q.account == "":
		q.account = own
	case own != "" && q.account != own:
		return nil, millrace.Errorf(millrace.KindForbidden, "the token is for another account")
	case q.account == "":
		fail("integrated_account_id", "is required: the account on whose behalf the provider is called")
	}
	if err := millrace.InvalidAll(failures[:min(len(failures), rest.MaxFailures)]); err != nil {
		return nil, err
	}
	if !millrace.IsID(string(q.account)) {
		return nil, millrace.NotFound("integrated account", millrace.Shorten(string(q.account)))
	}
	return q, nil
}

// control reads a parameter that is meant for us. Those that concern the unified API only say nothing here.
func (q *proxyQuery) control(key, text string, fail func(path, format string, args ...any)) {
	switch key {
	case "truto_exclude_fields":
		for field := range strings.SplitSeq(text, ",") {
			if field = strings.TrimSpace(field); field != "" {
				q.exclude = append(q.exclude, field)
			}
		}
		if len(q.exclude) > maxExcluded {
			fail(key, "has more than %d fields", maxExcluded)
		}
	case "truto_response_format":
		known := []string{"normalized", "unified", "raw", "stream"}
		switch {
		case text == "raw" || text == "stream":
			q.format = "raw"
		case text != "" && !slices.Contains(known, text):
			fail(key, "must be one of %s, not %q", strings.Join(known, ", "), millrace.Shorten(text))
		}
	case "truto_body_passthrough":
		flag, err := strconv.ParseBool(text)
		if err != nil && text != "" {
			fail(key, "must be true or false, not %q", millrace.Shorten(text))
		}
		q.passthrough = flag
	}
}

// checkLimit checks the page size of a list.
func (q *proxyQuery) checkLimit() error {
	if n, err := strconv.Atoi(q.limit); q.limit != "" && (err != nil || n < 1) {
		return millrace.Invalid("limit", "must be a whole number from 1, not %q", millrace.Shorten(q.limit))
	}
	return nil
}

// parameter is a part of a query: texts, or members.
type parameter struct {
	texts   []string
	members map[string]*parameter
	order   []string
}

// parseForward reads a query string of nested parameters, as npm's qs writes them. Unlike those of our own lists, the
// names mean nothing to us.
func parseForward(raw string) (*parameter, []millrace.Failure) {
	root, n := &parameter{}, 0
	var failures []millrace.Failure
	fail := func(path, message string) {
		failures = append(failures, millrace.Failure{Path: millrace.Shorten(path), Message: message})
	}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		if n++; n > maxForwarded {
			fail("", fmt.Sprintf("there are more than %d parameters", maxForwarded))
			break
		}
		key, val, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(key)
		text, err2 := url.QueryUnescape(val)
		switch {
		case err != nil || err2 != nil:
			fail(key, "is not percent-encoded correctly")
			continue
		case !utf8.ValidString(name) || !utf8.ValidString(text) || strings.ContainsRune(name+text, 0):
			fail(key, "is not text")
			continue
		}
		first, brackets, problem := rest.SplitKey(name)
		if problem != "" {
			fail(name, problem)
			continue
		}
		root.member(first).put(brackets, text)
	}
	return root, failures
}

func (p *parameter) member(key string) *parameter {
	if p.members == nil {
		p.members = map[string]*parameter{}
	}
	m, ok := p.members[key]
	if !ok {
		m = &parameter{}
		p.members[key], p.order = m, append(p.order, key)
	}
	return m
}

func (p *parameter) put(brackets []string, text string) {
	if len(brackets) == 0 {
		p.texts = append(p.texts, text)
		return
	}
	p.member(brackets[0]).put(brackets[1:], text)
}

// text is the value of a parameter that is meant for us: the last one, when it comes twice.
func (p *parameter) text() string {
	if len(p.texts) == 0 {
		return ""
	}
	return p.texts[len(p.texts)-1]
}

// value is a text, an array of what came under the same name, under empty brackets or under indexes, or an object.
func (p *parameter) value() expr.Value {
	items := make([]expr.Value, 0, len(p.texts))
	for _, text := range p.texts {
		items = append(items, text)
	}
	if len(p.order) == 0 {
		if len(items) == 1 {
			return items[0]
		}
		return jsonata.NewArray(items...)
	}
	if slices.ContainsFunc(p.order, func(key string) bool { return !rest.IsIndex(key) }) {
		o := jsonata.NewObject(len(p.order))
		for _, key := range p.order {
			o.Set(key, p.members[key].value())
		}
		return o
	}
	keys := slices.Clone(p.order)
	slices.SortStableFunc(keys, byIndex)
	for _, key := range keys {
		if a, ok := p.members[key].value().(*expr.Array); ok && key == "" {
			items = append(items, a.Items()...)
			continue
		}
		items = append(items, p.members[key].value())
	}
	return jsonata.NewArray(items...)
}

// byIndex puts the elements without an index last, as they came.
func byIndex(a, b string) int {
	if a == "" || b == "" {
		return len(b) - len(a)
	}
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}
