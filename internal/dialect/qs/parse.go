package qs

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

// parser reads a query string into an object.
type parser struct {
	call           *jsonata.Call
	delimiter      string
	depth          float64 // how many brackets after a name are read; the rest is one key
	arrayLimit     float64
	parameterLimit float64
	duplicates     string // combine, first or last
	arrays         bool
	sparse         bool // keep the holes of arrays
	emptyArrays    bool
	comma          bool // a value with commas is an array
	dots           bool
	decodeDots     bool
	bareNulls      bool
	skipPrefix     bool
	prototypes     bool // accept the names that objects inherit in JavaScript
	strictDepth    bool
	strictLimits   bool // exceeding a limit is an error
	strictMerge    bool
	latin1         bool
	sentinel       bool
	entities       bool
}

// maxQueryDepth bounds the depth option, since nested values are walked recursively.
const maxQueryDepth = 1000

// parseFunction implements $parseQuery(text, options).
func parseFunction(c *jsonata.Call) (jsonata.Value, error) {
	for _, arg := range c.Args {
		if err := js.Visit(c, arg); err != nil {
			return nil, err
		}
	}
	p, err := newQueryParser(c, optionsOf(c.Arg(1)))
	if err != nil {
		return nil, err
	}
	var found []parameter
	switch source := c.Arg(0).(type) {
	case string:
		if found, err = p.split(source); err != nil {
			return nil, err
		}
	case *jsonata.Object, *jsonata.Array:
		if found, err = p.readSource(source); err != nil {
			return nil, err
		}
	}
	root := newObject()
	for _, parameter := range found {
		if err := c.Step(1); err != nil {
			return nil, err
		}
		nested, err := p.nest(parameter)
		if err != nil {
			return nil, err
		}
		if nested != nil {
			root = p.merge(root, nested)
		}
	}
	return root.value(p.sparse), nil
}

func newQueryParser(c *jsonata.Call, options options) (*parser, error) {
	for _, name := range []string{"allowEmptyArrays", "decodeDotInKeys", "throwOnLimitExceeded"} {
		if err := options.mustBeBool(name); err != nil {
			return nil, err
		}
	}
	charset, err := options.charset()
	if err != nil {
		return nil, err
	}
	duplicates := options.text("duplicates", "combine")
	if duplicates != "combine" && duplicates != "first" && duplicates != "last" {
		return nil, js.ArgumentError("The duplicates option must be either combine, first, or last")
	}
	delimiter, ok := options.get("delimiter").(string)
	if !ok {
		delimiter = "&"
	}
	depth := options.number("depth", 5)
	if options.get("depth") == false {
		depth = 0
	}
	depth = min(depth, maxQueryDepth)
	decodeDots := options.flag("decodeDotInKeys", false)
	return &parser{
		call:           c,
		delimiter:      delimiter,
		depth:          depth,
		arrayLimit:     options.number("arrayLimit", 20),
		parameterLimit: options.number("parameterLimit", 1000),
		duplicates:     duplicates,
		arrays:         options.get("parseArrays") != false,
		sparse:         options.flag("allowSparse", false),
		emptyArrays:    options.flag("allowEmptyArrays", false),
		comma:          options.flag("comma", false),
		dots:           options.dots(decodeDots),
		decodeDots:     decodeDots,
		bareNulls:      options.flag("strictNullHandling", false),
		skipPrefix:     options.flag("ignoreQueryPrefix", false),
		prototypes:     options.flag("allowPrototypes", false) || options.flag("plainObjects", false),
		strictDepth:    options.flag("strictDepth", false),
		strictLimits:   options.flag("throwOnLimitExceeded", false),
		strictMerge:    options.flag("strictMerge", true),
		latin1:         charset == latin1,
		sentinel:       options.flag("charsetSentinel", false),
		entities:       options.flag("interpretNumericEntities", false),
	}, nil
}

// parameter is one name of a query string with the value, or values, given for it.
type parameter struct {
	name  string
	value *node
}

var (
	dotName = regexp.MustCompile(`\.([^.\[]+)`)
	entity  = regexp.MustCompile(`&#([0-9]+);`)
)

// split reads the parameters in order; those of the same name are combined.
func (p *parser) split(s string) ([]parameter, error) {
	if err := p.call.Step(len(s) / 16); err != nil {
		return nil, err
	}
	if p.skipPrefix {
		s = strings.TrimPrefix(s, "?")
	}
	s = strings.NewReplacer("%5B", "[", "%5b", "[", "%5D", "]", "%5d", "]").Replace(s)
	parts, err := p.limited(strings.Split(s, p.delimiter))
	if err != nil {
		return nil, err
	}
	if p.sentinel {
		parts = p.readSentinel(parts)
	}
	found := jsonata.NewObject(len(parts))
	for _, part := range parts {
		if err := p.call.Step(1); err != nil {
			return nil, err
		}
		name, value, err := p.readPart(part, found)
		if err != nil {
			return nil, err
		}
		old, exists := found.Get(name)
		switch {
		case exists && (p.duplicates == "combine" || strings.Contains(part, "[]=")):
			found.Set(name, p.combine(old.(*node), value))
		case !exists || p.duplicates == "last":
			found.Set(name, value)
		}
	}
	parameters := make([]parameter, 0, found.Len())
	for name, value := range found.All() {
		parameters = append(parameters, parameter{name, value.(*node)})
	}
	return parameters, nil
}

func (p *parser) limited(parts []string) ([]string, error) {
	if float64(len(parts)) <= p.parameterLimit {
		return parts, nil
	}
	if p.strictLimits {
		return nil, js.FailedError("Parameter limit exceeded. Only %s parameter%s allowed.",
			jsonata.FormatNumber(p.parameterLimit), plural(p.parameterLimit))
	}
	if p.parameterLimit < 0 {
		return parts, nil
	}
	return parts[:int(p.parameterLimit)], nil
}

func plural(n float64) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// readSentinel looks for the parameter with which browsers say how the query string is encoded, and removes it.
func (p *parser) readSentinel(parts []string) []string {
	for i, part := range parts {
		if strings.HasPrefix(part, "utf8=") {
			switch part {
			case utf8Sentinel:
				p.latin1 = false
			case latin1Sentinel:
				p.latin1 = true
			}
			return append(parts[:i:i], parts[i+1:]...)
		}
	}
	return parts
}

// readPart reads name=value. An equals sign after a bracket counts before one inside it. found are the parameters before
// this one.
func (p *parser) readPart(part string, found *jsonata.Object) (string, *node, error) {
	at := strings.IndexByte(part, '=')
	if bracket := strings.Index(part, "]="); bracket >= 0 {
		at = bracket + 1
	}
	if at < 0 {
		if p.bareNulls {
			return p.decode(part), newValue(jsonata.Null{}), nil
		}
		return p.decode(part), newValue(""), nil
	}
	name := p.decode(part[:at])
	value := p.commaValue(part[at+1:])
	if value.kind == plainNode {
		if p.strictLimits && float64(countItems(js.Get(found, name))) >= p.arrayLimit {
			return "", nil, p.limitError()
		}
		return name, newValue(p.entityText(p.decode(part[at+1:]))), nil
	}
	for _, item := range value.items {
		item.plain = p.decode(js.Text(item.plain))
	}
	if strings.Contains(part, "[]=") {
		value = newList(value)
	}
	if float64(len(value.items)) > p.arrayLimit {
		if p.strictLimits {
			return "", nil, p.limitError()
		}
		value = value.overgrown()
	}
	return name, value, nil
}

// countItems returns the length of a list, and 0 for everything else.
func countItems(v jsonata.Value) int {
	if n, ok := v.(*node); ok && n.kind == listNode {
		return len(n.items)
	}
	return 0
}

func (p *parser) limitError() error {
	return js.FailedError("Array limit exceeded. Only %s element%s allowed in an array.",
		jsonata.FormatNumber(p.arrayLimit), plural(p.arrayLimit))
}

func (p *parser) entityText(s string) string {
	if !p.entities || !p.latin1 {
		return s
	}
	return entity.ReplaceAllStringFunc(s, func(match string) string {
		code, err := strconv.ParseUint(match[2:len(match)-1], 10, 32)
		if err != nil {
			return match
		}
		return string(rune(code & 0xffff))
	})
}

// decode decodes plus signs and percent escapes. One bad escape leaves the others unchanged too.
func (p *parser) decode(s string) string {
	s = strings.ReplaceAll(s, "+", " ")
	if !strings.Contains(s, "%") {
		return s
	}
	decoded := js.PercentDecode(s)
	if p.latin1 {
		return latin1Text(s)
	}
	if text := string(decoded); validEscapes(s) && strings.ToValidUTF8(text, "") == text {
		return text
	}
	return s
}

var escapeSequence = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

func validEscapes(s string) bool {
	for {
		_, rest, found := strings.Cut(s, "%")
		if !found {
			return true
		}
		if len(rest) < 2 || js.HexDigit(rest[0]) > 15 || js.HexDigit(rest[1]) > 15 {
			return false
		}
		s = rest[2:]
	}
}

func latin1Text(s string) string {
	return escapeSequence.ReplaceAllStringFunc(s, func(escape string) string {
		return string(rune(js.PercentDecode(escape)[0]))
	})
}
