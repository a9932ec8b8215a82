package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// yamlDecoder turns the parser's tree into values. Aliases are expanded, so what it has made is counted: nine lines of
// YAML can stand for a billion values.
type yamlDecoder struct {
	anchors map[string]ast.Node
	values  int
	size    int
	maxSize int
}

// parseYAML decodes a document. The error is of KindInvalid and carries line and column. Aliases may not blow up the
// document beyond maxSize bytes of text.
func parseYAML(src []byte, maxSize int) (*value, error) {
	if err := checkText(src); err != nil {
		return nil, err
	}
	if i := invalidText(src); i >= 0 {
		line := 1 + bytes.Count(src[:i], []byte("\n"))
		column := 1 + utf8.RuneCount(src[bytes.LastIndexByte(src[:i], '\n')+1:i])
		return nil, brokenBody("YAML", placeAt(line, column), fmt.Sprintf("unexpected byte 0x%02x", src[i]))
	}
	file, err := parseTokens(src)
	if err != nil {
		return nil, err
	}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.DirectiveType {
			continue
		}
		if body != nil {
			return nil, brokenBody("YAML", placeOf(doc.Body), "a second document; send one")
		}
		body = doc.Body
	}
	if body == nil {
		return nil, brokenBody("YAML", place{1, 1}, "no document")
	}
	d := &yamlDecoder{anchors: map[string]ast.Node{}, maxSize: maxSize}
	return d.value(body, 0)
}

// parseTokens runs the YAML library. Should it panic over a document, the document is refused like any other that it
// cannot read: what a client sends is never our fault.
func parseTokens(src []byte) (_ *ast.File, err error) {
	defer func() {
		if recover() != nil {
			err = brokenBody("YAML", place{1, 1}, "the document cannot be read")
		}
	}()
	// The library folds a line that ends in CR LF wrongly.
	tokens := lexer.Tokenize(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(src)))
	if err := checkTokens(tokens); err != nil {
		return nil, err
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, yamlError(err)
	}
	return file, nil
}

func yamlError(err error) error {
	var located yaml.Error
	if !errors.As(err, &located) {
		return brokenBody("YAML", place{1, 1}, err.Error())
	}
	return brokenBody("YAML", placeOfToken(located.GetToken()), located.GetMessage())
}

func placeOf(n ast.Node) place { return placeOfToken(n.GetToken()) }

func placeOfToken(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{1, 1}
	}
	return placeAt(max(t.Position.Line, 1), max(t.Position.Column, 1))
}

func placeAt(line, column int) place { return place{int32(line), int32(column)} } //nolint:gosec // bodies are small

func (d *yamlDecoder) value(n ast.Node, depth int) (*value, error) {
	d.values++
	switch {
	case d.values > maxValues:
		return nil, tooMuch("YAML", placeOf(n), fmt.Sprintf("has more than %d values", maxValues))
	case depth > maxDepth:
		return nil, tooMuch("YAML", placeOf(n), fmt.Sprintf("nests deeper than %d levels", maxDepth))
	}
	switch n := n.(type) {
	case *ast.AnchorNode:
		d.anchors[n.Name.GetToken().Value] = n.Value
		return d.value(n.Value, depth+1)
	case *ast.AliasNode:
		target, ok := d.anchors[n.Value.GetToken().Value]
		if !ok {
			return nil, brokenBody("YAML", placeOf(n), fmt.Sprintf("unknown anchor %q", n.Value.GetToken().Value))
		}
		return d.value(target, depth+1)
	case *ast.TagNode:
		return d.tagged(n, depth)
	case *ast.MappingNode:
		return d.mapping(n, n.Values, depth)
	case *ast.MappingValueNode:
		return d.mapping(n, []*ast.MappingValueNode{n}, depth)
	case *ast.SequenceNode:
		v := &value{kind: kindArray, at: placeOf(n)}
		for _, item := range n.Values {
			child, err := d.value(item, depth+1)
			if err != nil {
				return nil, err
			}
			v.items = append(v.items, child)
		}
		return v, nil
	}
	return d.scalar(n)
}

func (d *yamlDecoder) scalar(n ast.Node) (*value, error) {
	at := placeOf(n)
	switch n := n.(type) {
	case *ast.NullNode:
		return &value{kind: kindNull, at: at}, nil
	case *ast.BoolNode:
		return &value{kind: kindBool, text: strconv.FormatBool(n.Value), at: at}, nil
	case *ast.StringNode:
		return d.text(n.Value, at)
	case *ast.LiteralNode:
		return d.text(n.Value.Value, at)
	case *ast.IntegerNode:
		return &value{kind: kindNumber, text: fmt.Sprint(n.Value), at: at}, nil
	case *ast.FloatNode:
		if math.IsInf(n.Value, 0) || math.IsNaN(n.Value) {
			return nil, brokenBody("YAML", at, "the number is too large")
		}
		return &value{kind: kindNumber, text: strconv.FormatFloat(n.Value, 'g', -1, 64), at: at}, nil
	case *ast.InfinityNode, *ast.NanNode:
		return nil, brokenBody("YAML", at, "infinity and not-a-number have no JSON form")
	}
	return nil, brokenBody("YAML", at, "cannot be read as JSON")
}

func (d *yamlDecoder) text(s string, at place) (*value, error) {
	if d.size += len(s); d.size > d.maxSize {
		return nil, brokenBody("YAML", at, "aliases make the document too large")
	}
	if strings.ContainsRune(s, 0) {
		return nil, brokenBody("YAML", at, `\0 cannot be stored`)
	}
	return &value{kind: kindString, text: s, at: at}, nil
}

// tagged decodes a value with a tag of YAML's core: !!str keeps the text as it is written, the others say what the
// value already is.
func (d *yamlDecoder) tagged(n *ast.TagNode, depth int) (*value, error) {
	tag := n.Start.Value
	switch tag {
	case "!!str":
		if scalar, ok := n.Value.(ast.ScalarNode); ok {
			if _, isLiteral := scalar.(*ast.LiteralNode); !isLiteral {
				return d.text(scalar.GetToken().Value, placeOf(n))
			}
		}
		return d.value(n.Value, depth+1)
	case "!!int", "!!float", "!!bool", "!!null", "!!map", "!!seq":
		return d.value(n.Value, depth+1)
	}
	return nil, brokenBody("YAML", placeOf(n), fmt.Sprintf("the tag %q has no JSON form", tag))
}

func (d *yamlDecoder) mapping(n ast.Node, values []*ast.MappingValueNode, depth int) (*value, error) {
	v := &value{kind: kindObject, at: placeOf(n)}
	if len(values) > 0 {
		v.at = placeOf(values[0].Key)
	}
	seen := map[string]bool{}
	var merged []*value
	for _, entry := range values {
		child, err := d.value(entry.Value, depth+1)
		if err != nil {
			return nil, err
		}
		if _, ok := entry.Key.(*ast.MergeKeyNode); ok {
			merged = append(merged, child)
			continue
		}
		key, err := keyOf(entry.Key)
		if err != nil {
			return nil, err
		}
		if seen[key] {
			return nil, duplicateKey("YAML", key, placeOf(entry.Key))
		}
		seen[key] = true
		if d.size += len(key); d.size > d.maxSize {
			return nil, brokenBody("YAML", placeOf(entry.Key), "aliases make the document too large")
		}
		v.members = append(v.members, member{key: key, at: placeOf(entry.Key), value: child})
	}
	return v, mergeKeys(v, seen, merged)
}

// mergeKeys adds the members that << brings in; a member that stands in the mapping itself wins.
func mergeKeys(v *value, seen map[string]bool, merged []*value) error {
	for _, from := range merged {
		sources := []*value{from}
		if from.kind == kindArray {
			sources = from.items
		}
		for _, source := range sources {
			if source.kind != kindObject {
				return brokenBody("YAML", source.at, "<< needs a mapping")
			}
			for _, m := range source.members {
				if !seen[m.key] {
					seen[m.key] = true
					v.members = append(v.members, m)
				}
			}
		}
	}
	return nil
}

func keyOf(key ast.MapKeyNode) (string, error) {
	at := placeOf(key)
	var n ast.Node = key
	for {
		switch k := n.(type) {
		case *ast.StringNode:
			if strings.ContainsRune(k.Value, 0) {
				return "", brokenBody("YAML", at, `\0 cannot be stored`)
			}
			return k.Value, nil
		case *ast.MappingKeyNode:
			n = k.Value
		case *ast.AnchorNode:
			n = k.Value
		case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
			return k.GetToken().Value, nil
		default:
			return "", brokenBody("YAML", at, "a key must be text")
		}
	}
}

// isYAML reports whether a content type names YAML.
func isYAML(mediaType string) bool {
	switch mediaType {
	case "application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml", "text/vnd.yaml":
		return true
	}
	return strings.HasSuffix(mediaType, "+yaml")
}
