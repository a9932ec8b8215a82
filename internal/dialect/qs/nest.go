package qs

import (
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

// nest turns a parameter like a[b][]=c into the objects and lists that its name describes. A name that must not be used
// gives nil.
func (p *parser) nest(parameter parameter) (*node, error) {
	if parameter.name == "" {
		return nil, nil
	}
	segments, err := p.segments(parameter.name)
	if err != nil || segments == nil {
		return nil, err
	}
	leaf := parameter.value
	for _, segment := range slices.Backward(segments) {
		if leaf, err = p.enclose(segment, leaf); err != nil {
			return nil, err
		}
	}
	return leaf, nil
}

// enclose puts a value under one segment of a name.
func (p *parser) enclose(segment string, leaf *node) (*node, error) {
	if segment == "[]" && p.arrays {
		switch {
		case leaf.kind == overgrownNode:
			return leaf, nil
		case p.emptyArrays && leaf.kind == plainNode && (leaf.plain == "" || p.bareNulls && js.IsNullish(leaf.plain)):
			return newList(), nil
		}
		return p.combine(newList(), leaf), nil
	}
	key := segment
	if strings.HasPrefix(key, "[") && strings.HasSuffix(key, "]") && len(key) > 1 {
		key = key[1 : len(key)-1]
	}
	if p.decodeDots {
		key = strings.ReplaceAll(key, "%2E", ".")
	}
	index, isIndex := js.IndexOf(key)
	isIndex = isIndex && p.arrays && key != segment
	out := newObject()
	switch {
	case !p.arrays && key == "":
		out.members.Set("0", leaf)
	case isIndex && float64(index) < p.arrayLimit && index > js.MaxIndex:
		return nil, js.FailedError("array index %d is too large", index)
	case isIndex && float64(index) < p.arrayLimit:
		return newList(append(make([]*node, index), leaf)...), nil
	case isIndex && p.strictLimits:
		return nil, p.limitError()
	case isIndex:
		out.kind, out.highest = overgrownNode, index
		out.members.Set(key, leaf)
	case key != "__proto__":
		out.members.Set(key, leaf)
	}
	return out, nil
}

// segments splits a name into the part before the first bracket and the bracketed parts. Parts beyond the depth
// stay together as one.
func (p *parser) segments(name string) ([]string, error) {
	if p.dots {
		name = dotName.ReplaceAllString(name, "[$1]")
	}
	if p.depth <= 0 {
		return p.allowed([]string{name}, name), nil
	}
	open := strings.IndexByte(name, '[')
	if open < 0 {
		return p.allowed([]string{name}, name), nil
	}
	var segments []string
	if open > 0 {
		segments = append(segments, name[:open])
		if p.allowed(segments, name[:open]) == nil {
			return nil, nil
		}
	}
	for n := 0; open < len(name) && float64(n) < p.depth; n++ {
		end := closing(name, open)
		if end < 0 {
			return append(segments, "["+name[open:]+"]"), nil
		}
		segments = append(segments, name[open:end+1])
		if p.allowed(segments, name[open+1:end]) == nil {
			return nil, nil
		}
		next := strings.IndexByte(name[end+1:], '[')
		if next < 0 {
			return segments, nil
		}
		open = end + 1 + next
	}
	if p.strictDepth {
		return nil, js.FailedError("Input depth exceeded depth option of %s and strictDepth is true", jsonata.FormatNumber(p.depth))
	}
	return append(segments, "["+name[open:]+"]"), nil
}

// closing returns where the bracket that opens at open is closed, or -1.
func closing(name string, open int) int {
	level := 0
	for i := open; i < len(name); i++ {
		switch name[i] {
		case '[':
			level++
		case ']':
			if level--; level == 0 {
				return i
			}
		}
	}
	return -1
}

// allowed returns segments unless the last name is one that objects inherit in JavaScript, where writing it would change
// what the object can do.
func (p *parser) allowed(segments []string, name string) []string {
	if !p.prototypes && isInherited(name) {
		return nil
	}
	return segments
}

// isInherited reports whether every JavaScript object has a member of that name.
func isInherited(name string) bool {
	switch name {
	case "constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toLocaleString", "toString", "valueOf",
		"__proto__", "__defineGetter__", "__defineSetter__", "__lookupGetter__", "__lookupSetter__":
		return true
	}
	return false
}

// readSource turns an object that is given instead of a query string into parameters.
func (p *parser) readSource(source jsonata.Value) ([]parameter, error) {
	entries, err := js.CallEntries(p.call, source)
	if err != nil {
		return nil, err
	}
	var found []parameter
	for key, v := range entries.All() {
		value := newValue(v)
		if text, ok := v.(string); ok {
			value = p.commaValue(text)
		}
		found = append(found, parameter{key, value})
	}
	return found, nil
}

func (p *parser) commaValue(text string) *node {
	if !p.comma || !strings.Contains(text, ",") {
		return newValue(text)
	}
	list := newList()
	for item := range strings.SplitSeq(text, ",") {
		list.items = append(list.items, newValue(item))
	}
	return list
}
