package expr

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

// query is the parsed path of a placeholder. Spaces separate alternatives that are searched together, dots
// separate the tokens of one of them.
type query [][]pathToken

type tokenKind int

const (
	tokenName tokenKind = iota
	tokenIndex
	tokenSlice
	tokenPattern
)

// pathToken is one step of a path: a member name, an array index (negative from the end), a slice of an array
// or a regular expression over member names.
type pathToken struct {
	kind    tokenKind
	name    string
	index   int
	to      int
	pattern *regexp.Regexp
}

// fromEnd stands for "-0", the position just behind the last element.
const fromEnd = math.MinInt

var (
	indexPattern = regexp.MustCompile(`^-?[0-9]+$`)
	slicePattern = regexp.MustCompile(`^(-?[0-9]+)?:(-?[0-9]+)?$`)
	flagsPattern = regexp.MustCompile(`^[dgimsuvy]*$`)
)

// parseQuery parses the path of a placeholder. An empty path is an error; a lone dot is the whole scope.
func parseQuery(text string) (query, error) {
	var q query
	for branch := range strings.SplitSeq(text, " ") {
		if branch == "" {
			continue
		}
		tokens, err := parsePath(branch)
		if err != nil {
			return nil, err
		}
		q = append(q, tokens)
	}
	if len(q) == 0 {
		return nil, fmt.Errorf("invalid path %q: it must not be empty", text)
	}
	return q, nil
}

// parsePath splits one branch at its dots. One leading dot means nothing, and a path of n dots only is n-1
// empty names.
func parsePath(branch string) ([]pathToken, error) {
	names := strings.Split(branch, ".")
	if len(names) > 1 && names[0] == "" {
		names = names[1:]
	}
	if strings.Trim(branch, ".") == "" {
		names = names[:len(names)-1]
	}
	tokens := make([]pathToken, 0, len(names))
	for _, name := range names {
		token, err := parseToken(name)
		if err != nil {
			return nil, fmt.Errorf("invalid path %q: %w", branch, err)
		}
		tokens = append(tokens, token)
	}
	return tokens, nil
}

func parseToken(name string) (pathToken, error) {
	if end := strings.LastIndexByte(name, '/'); end > 1 && name[0] == '/' {
		return parsePatternToken(name[1:end], name[end+1:])
	}
	if edges := slicePattern.FindStringSubmatch(name); edges != nil {
		token := pathToken{kind: tokenSlice, index: parseIndex(edges[1]), to: fromEnd}
		if edges[2] != "" {
			token.to = parseIndex(edges[2])
		}
		return token, nil
	}
	if indexPattern.MatchString(name) {
		return pathToken{kind: tokenIndex, index: parseIndex(name)}, nil
	}
	return pathToken{kind: tokenName, name: name}, nil
}

func parsePatternToken(source, flags string) (pathToken, error) {
	if !flagsPattern.MatchString(flags) {
		return pathToken{}, fmt.Errorf("unknown regular expression flags %q", flags)
	}
	if strings.Contains(flags, "i") {
		source = "(?i)" + source
	}
	pattern, err := regexp.Compile(source)
	if err != nil {
		return pathToken{}, err
	}
	return pathToken{kind: tokenPattern, pattern: pattern}, nil
}

// parseIndex reads an array index; one that is too large for an int is behind the end of every array.
func parseIndex(s string) int {
	if strings.HasPrefix(s, "-") && strings.Trim(s, "-0") == "" {
		return fromEnd
	}
	n, err := strconv.Atoi(s)
	switch {
	case s == "":
		return 0
	case err != nil && s[0] == '-':
		return math.MinInt + 1
	case err != nil:
		return math.MaxInt
	}
	return n
}

// find returns what the path leads to, and undefined if it leads nowhere.
func (q query) find(scope jsonata.Value) jsonata.Value {
	if len(q) == 1 && isPlainPath(q[0]) {
		return follow(scope, q[0])
	}
	places := make([]place, len(q))
	for i, tokens := range q {
		places[i] = place{tokens: tokens, value: scope}
	}
	v, _ := firstMatch(places, 0)
	return v
}

// isPlainPath reports whether a path has at most one match, as nearly all have.
func isPlainPath(tokens []pathToken) bool {
	for _, token := range tokens {
		if token.kind != tokenName && token.kind != tokenIndex {
			return false
		}
	}
	return true
}

func follow(v jsonata.Value, tokens []pathToken) jsonata.Value {
	for _, token := range tokens {
		if token.kind == tokenName {
			v, _ = js.Member(v, token.name)
			continue
		}
		a, ok := v.(*jsonata.Array)
		if !ok {
			return nil
		}
		v = a.At(fromStart(token.index, a.Len()))
	}
	return v
}

// place is one branch of a query on its way through a value.
type place struct {
	tokens []pathToken
	value  jsonata.Value
	key    string // the member or index that led here
}

// firstMatch returns the first value that any of the branches reaches: one that ends here wins, then branches
// are followed by the member they lead to, integer-like members first.
func firstMatch(places []place, depth int) (jsonata.Value, bool) {
	for _, p := range places {
		if len(p.tokens) == depth {
			return p.value, true
		}
	}
	if len(places) == 1 {
		for _, next := range places[0].step(depth) {
			if v, ok := firstMatch([]place{next}, depth+1); ok {
				return v, true
			}
		}
		return nil, false
	}
	groups := jsonata.NewObject(len(places))
	for _, p := range places {
		for _, next := range p.step(depth) {
			group, _ := groups.Get(next.key)
			list, _ := group.([]place)
			groups.Set(next.key, append(list, next))
		}
	}
	for _, group := range groups.All() {
		if v, ok := firstMatch(group.([]place), depth+1); ok {
			return v, true
		}
	}
	return nil, false
}

// step follows the token at the given depth.
func (p place) step(depth int) []place {
	token := p.tokens[depth]
	to := func(key string, v jsonata.Value) place { return place{tokens: p.tokens, value: v, key: key} }
	switch token.kind {
	case tokenName:
		if v, ok := js.Member(p.value, token.name); ok {
			return []place{to(token.name, v)}
		}
	case tokenIndex:
		if a, ok := p.value.(*jsonata.Array); ok {
			if i := fromStart(token.index, a.Len()); i < a.Len() {
				return []place{to(strconv.Itoa(i), a.At(i))}
			}
		}
	case tokenSlice:
		if a, ok := p.value.(*jsonata.Array); ok {
			var out []place
			end := min(fromStart(token.to, a.Len()), a.Len())
			for i := fromStart(token.index, a.Len()); i < end; i++ {
				out = append(out, to(strconv.Itoa(i), a.At(i)))
			}
			return out
		}
	case tokenPattern:
		if o, ok := p.value.(*jsonata.Object); ok {
			var out []place
			for key, v := range o.All() {
				if token.pattern.MatchString(key) {
					out = append(out, to(key, v))
				}
			}
			return out
		}
	}
	return nil
}

// fromStart turns an index that may count from the end into one that counts from the start.
func fromStart(index, length int) int {
	switch {
	case index == fromEnd:
		return length
	case index < 0:
		return max(length+index, 0)
	}
	return index
}
