package xmljs

import (
	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

// The writer's half for documents that are lists of elements.

func (w *writer) document(v jsonata.Value) {
	declaration := js.Field(v, w.o.key("declaration"))
	if js.IsTrue(declaration) {
		w.declaration(declaration, 0)
	}
	if elements, ok := w.elementsOf(v); ok {
		w.elements(elements, 0, !js.IsTrue(declaration))
	}
}

// elementsOf is the list of children, if there are any.
func (w *writer) elementsOf(v jsonata.Value) (*jsonata.Array, bool) {
	children := js.Field(v, w.o.key("elements"))
	list, ok := children.(*jsonata.Array)
	if s, isText := children.(string); isText && s != "" {
		w.fail(js.ArgumentError("elements.reduce is not a function"))
	}
	return list, ok && list.Len() > 0
}

func (w *writer) elements(list *jsonata.Array, depth int, first bool) {
	if !w.enter() {
		return
	}
	defer w.leave()
	start := w.out.Len()
	for _, element := range list.Items() {
		w.fail(w.call.Step(1))
		if w.err != nil {
			return
		}
		w.element(element, depth, first && w.out.Len() == start)
		if w.err != nil {
			return
		}
	}
}

// element writes a child of any type. One of an unknown type is left out.
func (w *writer) element(v jsonata.Value, depth int, first bool) {
	if js.IsNullish(v) {
		w.fail(js.ArgumentError("Cannot read properties of %s (reading 'type')", js.Text(v)))
		return
	}
	switch js.Field(v, "type") {
	case "element":
		w.indent(depth, first)
		w.namedElement(v, depth)
	case "comment":
		w.indent(depth, first)
		w.comment(js.Field(v, w.o.key("comment")))
	case "doctype":
		w.indent(depth, first)
		w.doctype(js.Field(v, w.o.key("doctype")))
	case "cdata":
		w.indentIf("indentCdata", depth, first)
		w.cdata(js.Field(v, w.o.key("cdata")))
	case "text":
		w.indentIf("indentText", depth, first)
		w.text(js.Field(v, w.o.key("text")))
	case "instruction":
		w.indentIf("indentInstruction", depth, first)
		named := jsonata.NewObject(1)
		body := js.Field(v, w.o.key("instruction"))
		if js.IsTrue(js.Field(v, w.o.key("attributes"))) {
			body = v
		}
		named.Set(js.Text(js.Field(v, w.o.key("name"))), body)
		w.instruction(named, depth)
	}
}

func (w *writer) namedElement(v jsonata.Value, depth int) {
	name := js.Text(js.Field(v, "name"))
	w.write("<", name)
	attributes := js.Field(v, w.o.key("attributes"))
	if js.IsTrue(attributes) {
		w.attributes(attributes, depth)
	}
	children, hasChildren := w.elementsOf(v)
	if !hasChildren && !preservesSpace(attributes) && !w.o.flag("fullTagEmptyElement") {
		w.write("/>")
		return
	}
	w.write(">")
	if hasChildren {
		w.elements(children, depth+1, false)
	}
	if w.spaces != "" && w.hasLines(v) {
		w.indent(depth, false)
	}
	w.write("</", name, ">")
}

// hasLines reports whether a child is on a line of its own.
func (w *writer) hasLines(v jsonata.Value) bool {
	children, ok := js.Field(v, "elements").(*jsonata.Array)
	if !ok {
		return false
	}
	for _, child := range children.Items() {
		option := map[jsonata.Value]string{"text": "indentText", "cdata": "indentCdata", "instruction": "indentInstruction"}
		name, _ := js.Field(child, w.o.key("type")).(string)
		if special := option[name]; special == "" || w.o.flag(special) {
			return true
		}
	}
	return false
}
