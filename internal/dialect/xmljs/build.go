package xmljs

import (
	"math"
	"regexp"
	"strings"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

// instructionAttribute matches an attribute of a processing instruction.
var instructionAttribute = regexp.MustCompile(`([\w:-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|(\w+))\s*`)

// builder puts what the parser finds into objects.
type builder struct {
	o      options
	root   *jsonata.Object
	opened []*jsonata.Object // the elements that are open, the document first
}

func newBuilder(o options) *builder {
	root := jsonata.NewObject(2)
	return &builder{o: o, root: root, opened: []*jsonata.Object{root}}
}

func (b *builder) current() *jsonata.Object { return b.opened[len(b.opened)-1] }

// close ends the current element.
func (b *builder) close() { b.opened = b.opened[:len(b.opened)-1] }

// open begins an element.
func (b *builder) open(name string, attributes *jsonata.Object) error {
	if len(b.opened) > maxDepth {
		return js.FailedError("$xmlToJs: elements nest more than %d deep", maxDepth)
	}
	attributes, err := b.convertAttributes(attributes)
	if err != nil {
		return err
	}
	element := jsonata.NewObject(2)
	if b.o.compact {
		b.attach(element, attributes)
		b.put(name, element, func(v jsonata.Value) bool { return v != nil })
	} else {
		element.Set(b.o.key("type"), "element")
		element.Set(b.o.key("name"), name)
		b.attach(element, attributes)
		if b.o.flag("alwaysChildren") {
			element.Set(b.o.key("elements"), jsonata.NewArray())
		}
		b.push(element)
	}
	b.opened = append(b.opened, element)
	return nil
}

func (b *builder) attach(element, attributes *jsonata.Object) {
	if !b.o.flag("ignoreAttributes") && attributes.Len() > 0 {
		element.Set(b.o.key("attributes"), attributes)
	}
}

// put adds a member of the compact form. A second one of the same name makes it an array.
func (b *builder) put(name string, v jsonata.Value, present func(jsonata.Value) bool) {
	current := b.current()
	existing := js.Get(current, name)
	if !present(existing) && b.o.alwaysArray(name) {
		existing = jsonata.NewArray()
	}
	list, isArray := existing.(*jsonata.Array)
	if js.IsTrue(existing) && !isArray {
		list, isArray = jsonata.NewArray(existing), true
	}
	if !isArray {
		current.Set(name, v)
		return
	}
	list.Append(v)
	current.Set(name, list)
}

// push adds an element of the other form.
func (b *builder) push(element *jsonata.Object) {
	current, key := b.current(), b.o.key("elements")
	list, ok := js.Get(current, key).(*jsonata.Array)
	if !ok {
		list = jsonata.NewArray()
	}
	list.Append(element)
	if len(b.opened) == 1 {
		current.Delete(key) // the elements of the document come after its declaration
	}
	current.Set(key, list)
}

// add puts a part that is not an element.
func (b *builder) add(part string, v jsonata.Value) {
	if b.o.compact {
		b.put(b.o.key(part), v, js.IsTrue)
		return
	}
	element := jsonata.NewObject(2)
	element.Set(b.o.key("type"), part)
	element.Set(b.o.key(part), v)
	b.push(element)
}

func (b *builder) text(text string) error {
	if b.o.flag("ignoreText") || js.TrimSpace(text) == "" && !b.o.flag("captureSpacesBetweenElements") {
		return nil
	}
	var v jsonata.Value = b.trimmed(text)
	if b.o.flag("nativeType") {
		v = nativeValue(b.trimmed(text))
	}
	if b.o.flag("sanitize") {
		s, ok := v.(string)
		if !ok {
			return js.ArgumentError("text.replace is not a function")
		}
		v = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
	}
	b.add("text", v)
	return nil
}

func (b *builder) trimmed(text string) string {
	if b.o.flag("trim") {
		return js.TrimSpace(text)
	}
	return text
}

func (b *builder) comment(text string) {
	if !b.o.flag("ignoreComment") {
		b.add("comment", b.trimmed(text))
	}
}

func (b *builder) cdata(text string) {
	if !b.o.flag("ignoreCdata") {
		b.add("cdata", b.trimmed(text))
	}
}

func (b *builder) doctype(text string) {
	if !b.o.flag("ignoreDoctype") {
		b.add("doctype", b.trimmed(strings.TrimPrefix(text, " ")))
	}
}

// instruction handles <?name body?>; the one named xml is the declaration.
func (b *builder) instruction(name, body string) error {
	isXML, withAttributes := strings.EqualFold(name, "xml"), b.o.flag("instructionHasAttributes")
	attributes := jsonata.NewObject(2)
	if isXML || withAttributes {
		for _, m := range instructionAttribute.FindAllStringSubmatch(body, -1) {
			var value jsonata.Value // an empty one is undefined here
			if text := m[2] + m[3] + m[4]; text != "" {
				value = text
			}
			attributes.Set(m[1], value)
		}
		var err error
		if attributes, err = b.convertAttributes(attributes); err != nil {
			return err
		}
	}
	switch {
	case isXML && !b.o.flag("ignoreDeclaration"):
		declaration := jsonata.NewObject(1)
		if attributes.Len() > 0 {
			declaration.Set(b.o.key("attributes"), attributes)
		}
		b.current().Set(b.o.key("declaration"), declaration)
	case !isXML && !b.o.flag("ignoreInstruction"):
		b.addInstruction(name, b.trimmed(body), attributes, withAttributes)
	}
	return nil
}

func (b *builder) addInstruction(name, body string, attributes *jsonata.Object, withAttributes bool) {
	var v jsonata.Value = body
	if withAttributes && attributes.Len() > 0 {
		wrapped := jsonata.NewObject(1)
		wrapped.Set(b.o.key("attributes"), attributes)
		v = wrapped
	}
	if b.o.compact {
		named := jsonata.NewObject(1)
		named.Set(name, v)
		b.add("instruction", named)
		return
	}
	element := jsonata.NewObject(3)
	element.Set(b.o.key("type"), "instruction")
	element.Set(b.o.key("name"), name)
	switch {
	case !withAttributes:
		element.Set(b.o.key("instruction"), v)
	case attributes.Len() > 0:
		element.Set(b.o.key("attributes"), attributes)
	}
	b.push(element)
}

// convertAttributes applies the options for the values of attributes.
func (b *builder) convertAttributes(attributes *jsonata.Object) (*jsonata.Object, error) {
	native := b.o.flag("nativeTypeAttributes")
	if !native && !b.o.flag("trim") {
		return attributes, nil
	}
	out := jsonata.NewObject(attributes.Len())
	for name, v := range attributes.All() {
		text, ok := v.(string)
		if !ok {
			return nil, js.ArgumentError("Cannot read properties of undefined (reading '%s')", map[bool]string{true: "trim", false: "toLowerCase"}[b.o.flag("trim")])
		}
		if text = b.trimmed(text); native {
			out.Set(name, nativeValue(text))
		} else {
			out.Set(name, text)
		}
	}
	return out, nil
}

// nativeValue is the number or the boolean that a text is.
func nativeValue(text string) jsonata.Value {
	if n := js.ParseNumber(text); !math.IsNaN(n) {
		return n
	}
	switch strings.ToLower(text) {
	case "true":
		return true
	case "false":
		return false
	}
	return text
}
