package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/document"
)

// bodyReader reads the bodies of one route.
type bodyReader struct {
	api     *api
	schema  *huma.Schema // of the body
	empty   bool         // no body is the same as an empty object
	yamlToo bool         // a body that is not JSON but YAML is taken whatever its content type says
}

// validator is a body that can say what is wrong with it beyond its shape. It gets the body also as it was sent.
type validator interface {
	validate(a *api, sent json.RawMessage) []millrace.Failure
}

// codeUnknownTrigger marks the one finding about a body that makes the answer 404 instead of 400.
const codeUnknownTrigger = "unknown_trigger"

// read reads the body into a pointer. It reports everything that is wrong with it in one error.
func (b *bodyReader) read(r *request, into any) error {
	root, err := b.parse(r)
	if err != nil {
		return err
	}
	if root.Kind != document.KindObject {
		return millrace.Invalid("", "the body must be an object, not %s", root.Kind)
	}
	c := &checker{registry: b.api.registry}
	c.check(b.schema, root, "")
	sent := b.known(root).JSON()
	if err := json.Unmarshal(sent, into); err != nil {
		if len(c.failures) == 0 {
			return fmt.Errorf("decode a body that fits its schema: %w", err)
		}
		return millrace.InvalidAll(c.failures) // of the wrong shape; the meaning is checked when the shape is right
	}
	if v, ok := into.(validator); ok {
		c.add(root, v.validate(b.api, sent))
	}
	err = millrace.InvalidAll(c.failures)
	var known *millrace.Error
	isTrigger := func(f millrace.Failure) bool { return f.Code == codeUnknownTrigger }
	if i := slices.IndexFunc(c.failures, isTrigger); i >= 0 && errors.As(err, &known) {
		known.Kind, known.Message = millrace.KindNotFound, c.failures[i].Message
	}
	return err
}

// add adds findings about the meaning. One about a path that already has a finding about its shape follows from that.
func (c *checker) add(root *document.Value, findings []millrace.Failure) {
	shape := slices.Clone(c.failures)
	for _, f := range findings {
		if slices.ContainsFunc(shape, func(s millrace.Failure) bool { return s.Path == f.Path }) {
			continue
		}
		if f.Line == 0 {
			at := locate(root, f.Path)
			f.Line, f.Column = int(at.Line), int(at.Column)
		}
		if len(c.failures) < maxFailures {
			c.failures = append(c.failures, f)
		}
	}
}

// known drops the members that the schema does not know, because encoding/json would take LABEL for label, and null
// where it is not a value of its own but says the same as leaving the member out.
func (b *bodyReader) known(root *document.Value) *document.Value {
	s := b.schema
	for s.Ref != "" {
		s = b.api.registry.SchemaFromRef(s.Ref)
	}
	out := &document.Value{Kind: document.KindObject}
	for _, m := range root.Members {
		p := s.Properties[m.Key]
		if p != nil && (m.Value.Kind != document.KindNull || p.Nullable) {
			out.Members = append(out.Members, m)
		}
	}
	return out
}

// parse returns the body's tree.
func (b *bodyReader) parse(r *request) (*document.Value, error) {
	raw, err := b.bytes(r)
	if err != nil {
		return nil, err
	}
	raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf")) // a byte order mark
	if len(bytes.TrimSpace(raw)) == 0 {
		if b.empty {
			return &document.Value{Kind: document.KindObject}, nil
		}
		return nil, millrace.Invalid("", "the body is empty; send a JSON object")
	}
	contentType := r.http.Header.Get("Content-Type")
	cost := costOf(raw, b.yamlToo || document.IsYAML(mediaTypeOf(contentType)))
	if _, err := r.lease(r.http.Context(), b.api.cfg.Memory.Parsing, cost, "a body of this size"); err != nil {
		return nil, err
	}
	return parseBody(raw, contentType, b.yamlToo, int(b.api.cfg.MaxBody))
}

// mediaTypeOf returns the type that a header names. One that is absent or broken is empty, and taken for JSON as every type
// but YAML is.
func mediaTypeOf(contentType string) string {
	mediaType, _, _ := mime.ParseMediaType(contentType)
	return mediaType
}

// parseBody decodes a body as its content type says. With yamlToo, what is not JSON is taken for YAML.
func parseBody(raw []byte, contentType string, yamlToo bool, maxText int) (*document.Value, error) {
	mediaType := mediaTypeOf(contentType)
	switch {
	case strings.HasPrefix(mediaType, "multipart/"):
		return nil, millrace.Errorf(millrace.KindUnsupported, "the content type %s cannot be read; send application/json", mediaType)
	case document.IsYAML(mediaType):
		return document.ParseYAML(raw, maxText)
	}
	root, err := document.ParseJSON(raw)
	if err == nil || !yamlToo || errors.Is(err, document.ErrBounds) {
		return root, err
	}
	first := bytes.TrimSpace(raw)[0]
	braces := first == '{' || first == '['
	if braces {
		// Between braces a tab is white space, and so it is where a text in quotes goes on in the next line. The YAML
		// library refuses it there.
		raw = bytes.ReplaceAll(raw, []byte("\t"), []byte(" "))
	}
	asYAML, yamlErr := document.ParseYAML(raw, maxText)
	switch {
	case yamlErr == nil && asYAML.Kind == document.KindObject:
		return asYAML, nil
	case yamlErr != nil && (!braces || errors.Is(yamlErr, document.ErrBounds) && len(raw) <= document.MaxYAML):
		return nil, yamlErr // it was not meant as JSON
	}
	return nil, err
}

// bytes reads the body as it came.
func (b *bodyReader) bytes(r *request) ([]byte, error) {
	pool := b.api.cfg.Memory.Bodies
	if r.environment == "" {
		pool = b.api.cfg.Memory.Hooks
	}
	return r.readBody(pool, b.api.cfg.MaxBody)
}
