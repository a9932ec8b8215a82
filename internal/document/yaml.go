package document

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

// ParseYAML decodes a document. The error is of KindInvalid and carries line and column. Aliases may not blow up the
// document beyond maxSize bytes of text.
func ParseYAML(src []byte, maxSize int) (*Value, error) {
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
		return nil, brokenBody("YAML", Position{1, 1}, "no document")
	}
	d := &yamlDecoder{anchors: map[string]ast.Node{}, maxSize: maxSize}
	return d.value(body, 0)
}

// parseTokens runs the YAML library. Should it panic over a document, the document is rejected like any other that it
// cannot read: what a client sends is never our fault.
func parseTokens(src []byte) (_ *ast.File, err error) {
	defer func() {
		if recover() != nil {
			err = brokenBody("YAML", Position{1, 1}, "the document cannot be read")
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
		return brokenBody("YAML", Position{1, 1}, err.Error())
	}
	return brokenBody("YAML", placeOfToken(located.GetToken()), located.GetMessage())
}

func placeOf(n ast.Node) Position { return placeOfToken(n.GetToken()) }

func placeOfToken(t *token.Token) Position {
	if t == nil || t.Position == nil {
		return Position{1, 1}
	}
	return placeAt(max(t.Position.Line, 1), max(t.Position.Column, 1))
}

func placeAt(line, column int) Position { return Position{int32(line), int32(column)} } //nolint:gosec // bodies are small

func (d *yamlDecoder) value(n ast.Node, depth int) (*Value, error) {
	d.values++
	switch {
	case d.values > MaxValues:
		return nil, tooMuch("YAML", placeOf(n), fmt.Sprintf("has more than %d values", MaxValues))
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
		v := &Value{Kind: KindArray, At: placeOf(n)}
		for _, item := range n.Values {
			child, err := d.value(item, depth+1)
			if err != nil {
				return nil, err
			}
			v.Items = append(v.Items, child)
		}
		return v, nil
	}
	return d.scalar(n)
}

func (d *yamlDecoder) scalar(n ast.Node) (*Value, error) {
	at := placeOf(n)
	switch n := n.(type) {
	case *ast.NullNode:
		return &Value{Kind: KindNull, At: at}, nil
	case *ast.BoolNode:
		return &Value{Kind: KindBool, Text: strconv.FormatBool(n.Value), At: at}, nil
	case *ast.StringNode:
		return d.text(n.Value, at)
	case *ast.LiteralNode:
		return d.text(n.Value.Value, at)
	case *ast.IntegerNode:
		return &Value{Kind: KindNumber, Text: fmt.Sprint(n.Value), At: at}, nil
	case *ast.FloatNode:
		if math.IsInf(n.Value, 0) || math.IsNaN(n.Value) {
			return nil, brokenBody("YAML", at, "the number is too large")
		}
		return &Value{Kind: KindNumber, Text: strconv.FormatFloat(n.Value, 'g', -1, 64), At: at}, nil
	case *ast.InfinityNode, *ast.NanNode:
		return nil, brokenBody("YAML", at, "infinity and not-a-number have no JSON form")
	}
	return nil, brokenBody("YAML", at, "cannot be read as JSON")
}

func (d *yamlDecoder) text(s string, at Position) (*Value, error) {
	if d.size += len(s); d.size > d.maxSize {
		return nil, brokenBody("YAML", at, "aliases make the document too large")
	}
	if strings.ContainsRune(s, 0) {
		return nil, brokenBody("YAML", at, `\0 cannot be stored`)
	}
	return &Value{Kind: KindString, Text: s, At: at}, nil
}

// tagged decodes a value with a tag of YAML's core: !!str keeps the text as written, the others say what the
// value already is.
func (d *yamlDecoder) tagged(n *ast.TagNode, depth int) (*Value, error) {
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

func (d *yamlDecoder) mapping(n ast.Node, values []*ast.MappingValueNode, depth int) (*Value, error) {
	v := &Value{Kind: KindObject, At: placeOf(n)}
	if len(values) > 0 {
		v.At = placeOf(values[0].Key)
	}
	seen := map[string]bool{}
	var merged []*Value
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
		v.Members = append(v.Members, Member{Key: key, At: placeOf(entry.Key), Value: child})
	}
	return v, mergeKeys(v, seen, merged)
}

// mergeKeys adds the members that << brings in; a member that stands in the mapping itself wins.
func mergeKeys(v *Value, seen map[string]bool, merged []*Value) error {
	for _, from := range merged {
		sources := []*Value{from}
		if from.Kind == KindArray {
			sources = from.Items
		}
		for _, source := range sources {
			if source.Kind != KindObject {
				return brokenBody("YAML", source.At, "<< needs a mapping")
			}
			for _, m := range source.Members {
				if !seen[m.Key] {
					seen[m.Key] = true
					v.Members = append(v.Members, m)
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

// IsYAML reports whether a content type names YAML.
func IsYAML(mediaType string) bool {
	switch mediaType {
	case "application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml", "text/vnd.yaml":
		return true
	}
	return strings.HasSuffix(mediaType, "+yaml")
}
