package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/definition"
	"github.com/millrace/millrace/internal/document"
)

// BodyReader reads the bodies of one route.
type BodyReader struct {
	router  *Router
	schema  *huma.Schema // of the body
	shown   *huma.Schema // of the response
	empty   bool         // no body is the same as an empty object
	yamlToo bool         // a body that is not JSON but YAML is taken whatever its content type says
}

// validator is a body that can say what is wrong with it beyond its shape. It gets the body also as it was sent.
type validator interface {
	Validate(r *Request, sent json.RawMessage) []millrace.Failure
}

// Read reads the body into a pointer. It reports everything that is wrong with it in one error.
func (b *BodyReader) Read(r *Request, into any) error {
	root, err := b.parse(r)
	if err != nil {
		return err
	}
	if root.Kind != document.KindObject {
		return millrace.Invalid("", "the body must be an object, not %s", root.Kind)
	}
	c := &checker{registry: b.router.registry}
	c.check(b.schema, root, "")
	b.idle(r, c, root)
	sent := b.known(root).JSON()
	if err := json.Unmarshal(sent, into); err != nil {
		if len(c.failures) == 0 {
			return fmt.Errorf("decode a body that fits its schema: %w", err)
		}
		return millrace.InvalidAll(c.failures) // of the wrong shape; the meaning is checked when the shape is right
	}
	if v, ok := into.(validator); ok {
		c.add(root, v.Validate(r, sent))
	}
	err = millrace.InvalidAll(c.failures)
	var known *millrace.Error
	// The one finding that makes the response 404 instead of 400.
	isTrigger := func(f millrace.Failure) bool { return f.Code == definition.CodeUnknownTrigger }
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
			at := document.Find(root, f.Path).At
			f.Line, f.Column = int(at.Line), int(at.Column)
		}
		if len(c.failures) < MaxFailures {
			c.failures = append(c.failures, f)
		}
	}
}

const (
	maxIdle    = 10    // warnings in the header of a response
	maxMembers = 1_000 // of a body, that are looked at: no resource has a tenth of them
)

// idle deals with the members of a body that mean nothing. One that clients have read in a response, and send back, is left alone.
// One that is nearly the name of another is rejected: {"is_actve": false} would change nothing and look as if it had. Of any other,
// a header of the response tells that it has no effect.
func (b *BodyReader) idle(r *Request, c *checker, root *document.Value) {
	s := b.schema
	for s.Ref != "" {
		s = b.router.registry.SchemaFromRef(s.Ref)
	}
	var free []string // a member that is sent already cannot be the one that was meant
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		if root.Get(name) == nil {
			free = append(free, name)
		}
	}
	warned := 0
	for _, m := range root.Members[:min(len(root.Members), maxMembers)] {
		if s.Properties[m.Key] != nil || s.AdditionalProperties == false || b.shown != nil && b.shown.Properties[m.Key] != nil {
			continue
		}
		if millrace.Nearest(m.Key, free) != "" {
			c.fail(m.Key, m.At, "unknown member %q", millrace.Shorten(m.Key)).Suggest(m.Key, free)
		} else if warned++; warned <= maxIdle {
			r.w.Header().Add("Warning", "299 millrace "+strconv.QuoteToASCII("the unknown member "+millrace.Shorten(m.Key)+" has no effect"))
		}
	}
}

// known drops the members that the schema does not know, because encoding/json would take LABEL for label, and null
// where it is not a value of its own but says the same as leaving the member out.
func (b *BodyReader) known(root *document.Value) *document.Value {
	s := b.schema
	for s.Ref != "" {
		s = b.router.registry.SchemaFromRef(s.Ref)
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
func (b *BodyReader) parse(r *Request) (*document.Value, error) {
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
	contentType := r.HTTP.Header.Get("Content-Type")
	cost := CostOf(raw, b.yamlToo || document.IsYAML(mediaTypeOf(contentType)))
	if _, err := r.Lease(r.HTTP.Context(), b.router.cfg.Memory.Parsing, cost, "a body of this size"); err != nil {
		return nil, err
	}
	return parseBody(raw, contentType, b.yamlToo, int(b.router.cfg.MaxBody))
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
		// library rejects it there.
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
func (b *BodyReader) bytes(r *Request) ([]byte, error) {
	pool := b.router.cfg.Memory.Bodies
	if r.Environment == "" {
		pool = b.router.cfg.Memory.Hooks
	}
	return r.readBody(pool, b.router.cfg.MaxBody)
}
