package wire

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// XML as values: an element is an object of its children by name, several of one name an array; attributes are members
// with an @ before the name; text beside attributes or children is the member #text; an element with text only is
// that text. Prefixes of name spaces are dropped when reading.
const (
	xmlAttribute = "@"
	xmlText      = "#text"
	maxXMLDepth  = 200
)

// decodeXML reads a document into an object with one member, the outermost element.
func decodeXML(data []byte) (expr.Value, error) {
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = charsetReader
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil, errors.New("the document has no element")
		}
		if err != nil {
			return nil, err
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		v, err := decodeElement(d, start, maxXMLDepth)
		if err != nil {
			return nil, err
		}
		root := jsonata.NewObject(1)
		root.Set(start.Name.Local, v)
		return root, nil
	}
}

func decodeElement(d *xml.Decoder, start xml.StartElement, depth int) (expr.Value, error) {
	if depth == 0 {
		return nil, errors.New("the document nests too deep")
	}
	o := jsonata.NewObject(4)
	for _, a := range start.Attr {
		if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" {
			o.Set(xmlAttribute+a.Name.Local, a.Value)
		}
	}
	var text strings.Builder
	for {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			child, err := decodeElement(d, token, depth-1)
			if err != nil {
				return nil, err
			}
			addChild(o, token.Name.Local, child)
		case xml.CharData:
			text.Write(token)
		case xml.EndElement:
			return elementValue(o, strings.TrimSpace(text.String())), nil
		}
	}
}

// addChild makes an array of children with the same name. The array is under construction, so it may grow in place.
func addChild(o *expr.Object, name string, child expr.Value) {
	old, ok := o.Get(name)
	if !ok {
		o.Set(name, child)
		return
	}
	if list, ok := old.(*expr.Array); ok {
		list.Append(child)
		return
	}
	o.Set(name, jsonata.NewArray(old, child))
}

func elementValue(o *expr.Object, text string) expr.Value {
	switch {
	case o.Len() == 0:
		return text
	case text != "":
		o.Set(xmlText, text)
	}
	return o
}

// charsetReader accepts the two encodings that can be read without tables.
func charsetReader(charset string, input io.Reader) (io.Reader, error) {
	switch strings.ToLower(charset) {
	case "utf-8", "us-ascii":
		return input, nil
	case "iso-8859-1", "latin1":
		data, err := io.ReadAll(input)
		if err != nil {
			return nil, err
		}
		var b strings.Builder
		for _, c := range data {
			b.WriteRune(rune(c))
		}
		return strings.NewReader(b.String()), nil
	}
	return nil, fmt.Errorf("the character set %s is not supported", charset)
}

// encodeXML writes an object with one member as a document. Without such a member, or with a root name, the value is
// wrapped into an element.
func encodeXML(v expr.Value, root string) ([]byte, error) {
	o, ok := v.(*expr.Object)
	if !ok || root != "" || o.Len() != 1 {
		if root == "" {
			root = "root"
		}
		wrapped := jsonata.NewObject(1)
		wrapped.Set(root, v)
		o = wrapped
	}
	var buf bytes.Buffer
	buf.WriteString(xml.Header)
	for name, member := range o.All() {
		if err := writeElement(&buf, name, member, maxXMLDepth); err != nil {
			return nil, err
		}
	}
	return buf.Bytes(), nil
}

func writeElement(w *bytes.Buffer, name string, v expr.Value, depth int) error {
	if depth == 0 {
		return errors.New("the body nests too deep for XML")
	}
	if !isXMLName(name) {
		return fmt.Errorf("%q cannot be the name of an element", name)
	}
	if a, ok := v.(*expr.Array); ok {
		for _, item := range a.Items() {
			if err := writeElement(w, name, item, depth-1); err != nil {
				return err
			}
		}
		return nil
	}
	if v == nil {
		return nil
	}
	w.WriteString("<" + name)
	if o, ok := v.(*expr.Object); ok {
		if err := writeMembers(w, o, depth); err != nil {
			return err
		}
	} else {
		w.WriteByte('>')
		if err := xml.EscapeText(w, []byte(expr.Text(v))); err != nil {
			return err
		}
	}
	w.WriteString("</" + name + ">")
	return nil
}

// writeMembers writes attributes, the end of the opening tag, text and children.
func writeMembers(w *bytes.Buffer, o *expr.Object, depth int) error {
	for key, member := range o.All() {
		name, isAttribute := strings.CutPrefix(key, xmlAttribute)
		if !isAttribute {
			continue
		}
		if !isXMLName(name) {
			return fmt.Errorf("%q cannot be the name of an attribute", name)
		}
		w.WriteString(" " + name + `="`)
		if err := xml.EscapeText(w, []byte(expr.Text(member))); err != nil {
			return err
		}
		w.WriteByte('"')
	}
	w.WriteByte('>')
	for key, member := range o.All() {
		switch {
		case strings.HasPrefix(key, xmlAttribute):
		case key == xmlText:
			if err := xml.EscapeText(w, []byte(expr.Text(member))); err != nil {
				return err
			}
		default:
			if err := writeElement(w, key, member, depth-1); err != nil {
				return err
			}
		}
	}
	return nil
}

// isXMLName accepts letters, digits and the usual punctuation; a prefix such as soap: is allowed.
func isXMLName(s string) bool {
	for i, r := range s {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r > 0x7f
		inside := i > 0 && (r >= '0' && r <= '9' || strings.ContainsRune("-.:", r))
		if !letter && !inside {
			return false
		}
	}
	return s != ""
}
