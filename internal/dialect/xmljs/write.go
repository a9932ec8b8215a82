package xmljs

import (
	"math"
	"strings"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

// writer writes one document. Nothing is escaped in comments, instructions and names: they are written unchanged.
type writer struct {
	o      options
	call   *jsonata.Call
	spaces string
	out    strings.Builder
	err    error
	depth  int
}

// jsToXML implements $jsToXml(value, options).
func jsToXML(c *jsonata.Call) (jsonata.Value, error) {
	w := &writer{o: optionsOf(c.Arg(1)), call: c}
	if err := w.setSpaces(); err != nil {
		return nil, err
	}
	switch {
	case w.o.compact:
		w.members(c.Arg(0), 0)
	case js.IsNullish(c.Arg(0)):
		return nil, js.ArgumentError("Cannot read properties of %s (reading 'declaration')", js.Text(c.Arg(0)))
	default:
		w.document(c.Arg(0))
	}
	if w.err != nil {
		return nil, w.err
	}
	return w.out.String(), nil
}

// setSpaces reads the option for the indentation: a text, or a number of spaces.
func (w *writer) setSpaces() error {
	switch v := js.Field(w.o.values, "spaces").(type) {
	case string:
		w.spaces = v
	case float64:
		if v < -1 || v >= math.MaxUint32 || !js.IsWhole(v) {
			return js.ArgumentError("Invalid array length")
		}
		if err := w.call.Grow(int(max(v, 0))); err != nil {
			return err
		}
		w.spaces = strings.Repeat(" ", int(max(v, 0)))
	}
	return nil
}

// write appends text, as long as the budget lasts.
func (w *writer) write(parts ...string) {
	for _, part := range parts {
		if w.err != nil {
			return
		}
		if w.err = w.call.Grow(len(part)); w.err == nil {
			w.out.WriteString(part)
		}
	}
}

func (w *writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// enter counts the levels of nesting and the work.
func (w *writer) enter() bool {
	w.depth++
	if w.depth > maxDepth {
		w.fail(js.FailedError("$jsToXml: elements nest more than %d deep", maxDepth))
	}
	w.fail(w.call.Step(1))
	return w.err == nil
}

func (w *writer) leave() { w.depth-- }

// entries lists the members of a value, none when the evaluation has reached its limits.
func (w *writer) entries(v jsonata.Value) *jsonata.Object {
	o, err := js.CallEntries(w.call, v)
	if err != nil {
		w.fail(err)
		return jsonata.NewObject(0)
	}
	return o
}

// indent begins a line, unless it is the first of the document.
func (w *writer) indent(depth int, first bool) {
	if !first && w.spaces != "" {
		w.write("\n")
	}
	if w.spaces == "" || w.err != nil {
		return
	}
	if w.err = w.call.Grow(depth * len(w.spaces)); w.err == nil {
		w.out.WriteString(strings.Repeat(w.spaces, depth))
	}
}

// indentIf is indent for the parts that are indented only on request.
func (w *writer) indentIf(option string, depth int, first bool) {
	if w.o.flag(option) {
		w.indent(depth, first)
	}
}

// members writes the compact form: every member is an element or one of the special parts, an array is several of them.
func (w *writer) members(v jsonata.Value, depth int) {
	if !w.enter() {
		return
	}
	defer w.leave()
	first := depth == 0
	for key, member := range w.entries(v).All() {
		for _, node := range js.List(member) {
			w.fail(w.call.Step(1))
			if w.err != nil {
				return
			}
			if w.member(key, node, depth, first) {
				first = false
			}
			if w.err != nil {
				return
			}
		}
	}
}

// member reports whether it was a part of the document, even an empty one.
func (w *writer) member(key string, node jsonata.Value, depth int, first bool) bool {
	switch key {
	case w.o.key("declaration"):
		w.declaration(node, depth)
	case w.o.key("instruction"):
		w.indentIf("indentInstruction", depth, first)
		w.instruction(w.entries(node), depth)
	case w.o.key("attributes"):
		return false
	case w.o.key("text"):
		w.indentIf("indentText", depth, first)
		w.text(node)
	case w.o.key("cdata"):
		w.indentIf("indentCdata", depth, first)
		w.cdata(node)
	case w.o.key("doctype"):
		w.indent(depth, first)
		w.doctype(node)
	case w.o.key("comment"):
		w.indent(depth, first)
		w.comment(node)
	default:
		if parent, ok := js.Field(w.o.values, "parentKey").(string); ok && key == parent {
			return false
		}
		w.indent(depth, first)
		w.compactElement(key, node, depth)
	}
	return true
}

func (w *writer) compactElement(name string, node jsonata.Value, depth int) {
	switch {
	case js.IsNullish(node) || node == "":
		w.emptyElement(name)
		return
	case name == "":
		w.members(node, depth+1)
		return
	}
	w.write("<", name)
	if !js.IsComposite(node) {
		w.write(">")
		w.text(node)
		w.write("</", name, ">")
		return
	}
	attributes := js.Field(node, w.o.key("attributes"))
	if js.IsTrue(attributes) {
		w.attributes(attributes, depth)
	}
	if !w.hasContent(node, true) && !preservesSpace(attributes) && !w.o.flag("fullTagEmptyElement") {
		w.write("/>")
		return
	}
	w.write(">")
	w.members(node, depth+1)
	if w.hasContent(node, false) {
		w.indent(depth, false)
	}
	w.write("</", name, ">")
}

func (w *writer) emptyElement(name string) {
	if w.o.flag("fullTagEmptyElement") {
		w.write("<", name, "></", name, ">")
		return
	}
	w.write("<", name, "/>")
}

func preservesSpace(attributes jsonata.Value) bool {
	return js.Field(attributes, "xml:space") == "preserve"
}

// hasContent reports whether a node of the compact form has anything but attributes: something that is on a line of its own, or
// anything at all.
func (w *writer) hasContent(node jsonata.Value, anything bool) bool {
	for key := range w.entries(node).All() {
		switch key {
		case w.o.key("attributes"):
			continue
		case w.o.key("text"):
			if !anything && !w.o.flag("indentText") {
				continue
			}
		case w.o.key("cdata"):
			if !anything && !w.o.flag("indentCdata") {
				continue
			}
		case w.o.key("instruction"):
			if !anything && !w.o.flag("indentInstruction") {
				continue
			}
		}
		if parent, ok := js.Field(w.o.values, "parentKey").(string); ok && key == parent {
			continue
		}
		return true
	}
	return false
}

func (w *writer) attributes(v jsonata.Value, depth int) {
	if w.o.flag("ignoreAttributes") {
		return
	}
	ownLines := w.spaces != "" && w.o.flag("indentAttributes")
	members := w.entries(v)
	for name, value := range members.All() {
		if js.IsNullish(value) {
			continue
		}
		if ownLines {
			w.indent(depth+1, false)
		} else {
			w.write(" ")
		}
		quote := `"`
		if _, isText := value.(string); !isText && w.o.flag("noQuotesForNativeAttributes") {
			quote = ""
		}
		w.write(name, "=", quote, strings.ReplaceAll(js.Text(value), `"`, "&quot;"), quote)
	}
	if ownLines && members.Len() > 0 {
		w.indent(depth, false)
	}
}

func (w *writer) declaration(v jsonata.Value, depth int) {
	if js.IsNullish(v) {
		w.fail(js.ArgumentError("Cannot read properties of %s (reading '%s')", js.Text(v), w.o.key("attributes")))
	}
	if w.o.flag("ignoreDeclaration") {
		return
	}
	w.write("<?xml")
	w.attributes(js.Field(v, w.o.key("attributes")), depth)
	w.write("?>")
}

// instruction writes the first member: its name, and its attributes or its text.
func (w *writer) instruction(o *jsonata.Object, depth int) {
	if w.o.flag("ignoreInstruction") {
		return
	}
	for name, v := range o.All() {
		w.write("<?", name)
		switch {
		case js.IsComposite(v):
			w.attributes(js.Field(v, w.o.key("attributes")), depth)
		case js.IsTrue(v):
			w.write(" ", js.Text(v))
		}
		w.write("?>")
		return
	}
	w.write("<?undefined?>")
}

func (w *writer) text(v jsonata.Value) {
	if w.o.flag("ignoreText") {
		return
	}
	text := strings.ReplaceAll(js.Text(v), "&amp;", "&") // what is escaped already is not escaped twice
	w.write(strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text))
}

func (w *writer) cdata(v jsonata.Value) {
	if w.o.flag("ignoreCdata") {
		return
	}
	text, ok := v.(string)
	if !ok {
		w.fail(js.ArgumentError("cdata.replace is not a function"))
	}
	w.write("<![CDATA[", strings.Replace(text, "]]>", "]]]]><![CDATA[>", 1), "]]>")
}

func (w *writer) comment(v jsonata.Value) {
	if !w.o.flag("ignoreComment") {
		w.write("<!--", js.Text(v), "-->")
	}
}

func (w *writer) doctype(v jsonata.Value) {
	if !w.o.flag("ignoreDoctype") {
		w.write("<!DOCTYPE ", js.Text(v), ">")
	}
}
