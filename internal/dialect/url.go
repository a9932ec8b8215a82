package dialect

import (
	"net/url"
	"strings"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
	whatwg "github.com/nlnwa/whatwg-url/url"
)

// urlFunctions take addresses and query strings apart and put them together.
func urlFunctions() []jsonata.Func {
	return []jsonata.Func{
		{Name: "parseUrl", Params: 1, Call: parseURL},
	}
}

// maxAddress bounds an address: nothing interrupts the library that parses it.
const maxAddress = 512 << 10

// parseURL parses an absolute address by the rules of browsers.
func parseURL(c *jsonata.Call) (jsonata.Value, error) {
	text, err := js.CallText(c, c.Arg(0))
	if err != nil {
		return nil, err
	}
	if err := c.Step(1 + len(text)/8); err != nil {
		return nil, err
	}
	if len(text) > maxAddress {
		return nil, js.FailedError("Invalid URL: it has more than %d bytes", maxAddress)
	}
	parsed, err := whatwg.Parse(text)
	if err != nil {
		return nil, js.FailedError("Invalid URL")
	}
	return &address{url: parsed, params: parseParams(parsed.Query())}, nil
}

// address is a parsed URL as a host object. It serialises as its text.
type address struct {
	url    *whatwg.Url
	params *searchParams
}

// String returns the address as text.
func (a *address) String() string { return a.url.Href(false) }

// JSON returns the address as text.
func (a *address) JSON() jsonata.Value { return a.String() }

// Member returns a part of the address.
func (a *address) Member(name string) (jsonata.Value, bool) {
	switch name {
	case "href":
		return a.String(), true
	case "origin":
		return a.origin(), true
	case "protocol":
		return a.url.Protocol(), true
	case "username":
		return a.url.Username(), true
	case "password":
		return a.url.Password(), true
	case "host":
		return a.url.Host(), true
	case "hostname":
		return a.url.Hostname(), true
	case "port":
		return a.url.Port(), true
	case "pathname":
		return a.url.Pathname(), true
	case "hash":
		return a.url.Hash(), true
	case "search":
		return a.url.Search(), true
	case "searchParams":
		return a.params, true
	case "toString", "toJSON":
		return textMethod(name, a.String), true
	}
	return nil, false
}

// Names lists the members for expressions.
func (a *address) Names() []string { return a.Keys() }

// Keys lists the members.
func (a *address) Keys() []string {
	return []string{
		"href", "origin", "protocol", "username", "password", "host", "hostname", "port", "pathname", "hash", "search",
		"searchParams",
	}
}

// origin is what browsers compare: schemes without a network host have none, and blob addresses have that of the
// address they contain.
func (a *address) origin() string {
	switch a.url.Scheme() {
	case "http", "https", "ws", "wss", "ftp":
		return a.url.Protocol() + "//" + a.url.Host()
	case "blob":
		inner, err := whatwg.Parse(a.url.Pathname())
		if err == nil && (inner.Scheme() == "http" || inner.Scheme() == "https") {
			return inner.Protocol() + "//" + inner.Host()
		}
	}
	return "null"
}

// textMethod is a method without parameters that returns text.
func textMethod(name string, text func() string) *jsonata.Function {
	return jsonata.NewFunction(jsonata.Func{
		Name: name,
		Call: func(*jsonata.Call) (jsonata.Value, error) { return text(), nil },
	})
}

// searchParams are the parameters of an address, in order, as a host object.
type searchParams struct {
	pairs [][2]string
}

// parseParams splits a query string into its parameters.
func parseParams(query string) *searchParams {
	p := &searchParams{}
	for part := range strings.SplitSeq(query, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		p.pairs = append(p.pairs, [2]string{decodeParam(name), decodeParam(value)})
	}
	return p
}

// decodeParam decodes plus signs and percent escapes; what looks like an escape but is none stays.
func decodeParam(s string) string {
	if !strings.ContainsAny(s, "+%") {
		return s
	}
	return strings.ToValidUTF8(string(js.PercentDecode(strings.ReplaceAll(s, "+", " "))), "\ufffd")
}

// String encodes the parameters as a form does.
func (p *searchParams) String() string {
	parts := make([]string, len(p.pairs))
	for i, pair := range p.pairs {
		parts[i] = encodeParam(pair[0]) + "=" + encodeParam(pair[1])
	}
	return strings.Join(parts, "&")
}

// encodeParam is QueryEscape except for two characters that forms treat the other way round.
func encodeParam(s string) string {
	return strings.NewReplacer("%2A", "*", "~", "%7E").Replace(url.QueryEscape(s))
}

// JSON shows the only field that is not a method.
func (p *searchParams) JSON() jsonata.Value {
	o := jsonata.NewObject(1)
	o.Set("size", float64(len(p.pairs)))
	return o
}

// Member returns the number of parameters or a method.
func (p *searchParams) Member(name string) (jsonata.Value, bool) {
	if name == "size" {
		return float64(len(p.pairs)), true
	}
	if name == "toString" {
		return textMethod(name, p.String), true
	}
	call := p.method(name)
	if call == nil {
		return nil, false
	}
	params := 0
	if name == "get" || name == "has" || name == "getAll" {
		params = 1
	}
	return jsonata.NewFunction(jsonata.Func{Name: name, Params: params, Call: call}), true
}

// Names lists the members for expressions.
func (p *searchParams) Names() []string { return p.Keys() }

// Keys lists the members.
func (p *searchParams) Keys() []string {
	return []string{"get", "has", "getAll", "keys", "values", "entries", "size", "toString"}
}

func (p *searchParams) method(name string) func(*jsonata.Call) (jsonata.Value, error) {
	switch name {
	case "get":
		return p.find(func(found []jsonata.Value) jsonata.Value {
			if len(found) == 0 {
				return jsonata.Null{}
			}
			return found[0]
		})
	case "has":
		return p.find(func(found []jsonata.Value) jsonata.Value { return len(found) > 0 })
	case "getAll":
		return p.find(func(found []jsonata.Value) jsonata.Value { return jsonata.NewArray(found...) })
	case "keys":
		return p.each(func(pair [2]string) jsonata.Value { return pair[0] })
	case "values":
		return p.each(func(pair [2]string) jsonata.Value { return pair[1] })
	case "entries":
		return p.each(func(pair [2]string) jsonata.Value { return jsonata.NewArray(pair[0], pair[1]) })
	}
	return nil
}

func (p *searchParams) each(show func([2]string) jsonata.Value) func(*jsonata.Call) (jsonata.Value, error) {
	return func(c *jsonata.Call) (jsonata.Value, error) {
		out := make([]jsonata.Value, len(p.pairs))
		for i, pair := range p.pairs {
			out[i] = show(pair)
		}
		return jsonata.NewArray(out...), c.Step(len(out))
	}
}

// find is a method that looks for the parameters of the name in its argument.
func (p *searchParams) find(show func(values []jsonata.Value) jsonata.Value) func(*jsonata.Call) (jsonata.Value, error) {
	return func(c *jsonata.Call) (jsonata.Value, error) {
		name, err := js.CallText(c, c.Arg(0))
		if err != nil {
			return nil, err
		}
		found := []jsonata.Value{}
		for _, pair := range p.pairs {
			if pair[0] == name {
				found = append(found, pair[1])
			}
		}
		return show(found), c.Step(len(p.pairs))
	}
}
