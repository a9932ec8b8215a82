package rest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/document"
)

// MaxFailures bounds a response that lists everything wrong with a body.
const MaxFailures = 100

// checker compares a body with the schema that the OpenAPI document publishes for it, and collects all failures in
// the order of the body.
type checker struct {
	registry huma.Registry
	failures []millrace.Failure
}

func (c *checker) fail(path string, at document.Position, format string, args ...any) *millrace.Failure {
	if len(c.failures) >= MaxFailures {
		return &millrace.Failure{}
	}
	c.failures = append(c.failures, millrace.Failure{
		Path: path, Message: fmt.Sprintf(format, args...), Line: int(at.Line), Column: int(at.Column),
	})
	return &c.failures[len(c.failures)-1]
}

func (c *checker) check(s *huma.Schema, v *document.Value, path string) {
	for s.Ref != "" {
		s = c.registry.SchemaFromRef(s.Ref)
	}
	if len(s.OneOf) > 0 {
		c.oneOf(s, v, path)
		return
	}
	if v.Kind == document.KindNull {
		if !s.Nullable && s.Type != "" {
			c.fail(path, v.At, "must be %s, not null", article(s.Type))
		}
		return
	}
	if !fits(s.Type, v) {
		c.fail(path, v.At, "must be %s, not %s", article(s.Type), v.Kind)
		return
	}
	switch v.Kind {
	case document.KindObject:
		c.object(s, v, path)
	case document.KindArray:
		c.array(s, v, path)
	case document.KindString:
		c.text(s, v, path)
	case document.KindNumber:
		c.number(s, v, path)
	case document.KindNull, document.KindBool:
	}
}

// oneOf accepts a value that fits the type of one of the alternatives, and checks it against that one.
func (c *checker) oneOf(s *huma.Schema, v *document.Value, path string) {
	var types []string
	for _, alternative := range s.OneOf {
		if fits(alternative.Type, v) {
			c.check(alternative, v, path)
			return
		}
		types = append(types, article(alternative.Type))
	}
	if v.Kind == document.KindNull && s.Nullable {
		return
	}
	c.fail(path, v.At, "must be %s, not %s", strings.Join(types, " or "), v.Kind)
}

func article(schemaType string) string {
	switch schemaType {
	case huma.TypeArray, huma.TypeObject, huma.TypeInteger:
		return "an " + schemaType
	}
	return "a " + schemaType
}

func fits(schemaType string, v *document.Value) bool {
	switch schemaType {
	case huma.TypeObject:
		return v.Kind == document.KindObject
	case huma.TypeArray:
		return v.Kind == document.KindArray
	case huma.TypeString:
		return v.Kind == document.KindString
	case huma.TypeBoolean:
		return v.Kind == document.KindBool
	case huma.TypeNumber:
		return v.Kind == document.KindNumber
	case huma.TypeInteger:
		if v.Kind != document.KindNumber {
			return false
		}
		_, err := strconv.ParseInt(v.Text, 10, 64)
		return err == nil
	}
	return true
}

func (c *checker) object(s *huma.Schema, v *document.Value, path string) {
	for _, m := range v.Members {
		at := join(path, m.Key)
		member, known := s.Properties[m.Key]
		required := slices.Contains(s.Required, m.Key)
		switch {
		case known && m.Value.Kind == document.KindNull && !required: // the same as not sent
		case known:
			c.check(member, m.Value, at)
		case s.AdditionalProperties == false:
			c.unknown(s, v, m, at)
		default:
			if rest, ok := s.AdditionalProperties.(*huma.Schema); ok {
				c.check(rest, m.Value, at)
			}
		}
	}
	for _, name := range s.Required {
		if v.Get(name) == nil {
			c.fail(join(path, name), v.At, "is required")
		}
	}
}

func (c *checker) unknown(s *huma.Schema, v *document.Value, m document.Member, path string) {
	var free []string // a key that is already there cannot be the one that was meant
	for name := range s.Properties {
		if v.Get(name) == nil {
			free = append(free, name)
		}
	}
	slices.Sort(free)
	f := c.fail(path, m.At, "unknown key %q", m.Key)
	f.Suggest(m.Key, free)
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func (c *checker) array(s *huma.Schema, v *document.Value, path string) {
	if s.MinItems != nil && len(v.Items) < *s.MinItems {
		c.fail(path, v.At, "must have at least %d elements", *s.MinItems)
	}
	if s.MaxItems != nil && len(v.Items) > *s.MaxItems {
		c.fail(path, v.At, "must have at most %d elements", *s.MaxItems)
	}
	if s.Items == nil {
		return
	}
	for i, item := range v.Items {
		c.check(s.Items, item, fmt.Sprintf("%s[%d]", path, i))
	}
}

func (c *checker) text(s *huma.Schema, v *document.Value, path string) {
	length := utf8.RuneCountInString(v.Text)
	if s.MinLength != nil && length < *s.MinLength {
		if length == 0 {
			c.fail(path, v.At, "must not be empty")
		} else {
			c.fail(path, v.At, "must have at least %d characters", *s.MinLength)
		}
	}
	if s.MaxLength != nil && length > *s.MaxLength {
		c.fail(path, v.At, "must have at most %d characters, has %d", *s.MaxLength, length)
	}
	switch s.Format {
	case "uuid":
		if !millrace.IsID(v.Text) {
			c.fail(path, v.At, "must be a UUID, not %q", millrace.Shorten(v.Text))
		}
	case "date-time":
		if _, err := time.Parse(time.RFC3339Nano, v.Text); err != nil {
			c.fail(path, v.At, "must be an ISO 8601 date and time with a zone, not %q", millrace.Shorten(v.Text))
		}
	}
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, any(v.Text)) {
		names := make([]string, len(s.Enum))
		for i, e := range s.Enum {
			names[i] = fmt.Sprint(e)
		}
		f := c.fail(path, v.At, "must be one of %s, not %q", strings.Join(names, ", "), millrace.Shorten(v.Text))
		f.Suggestion = millrace.Nearest(v.Text, names)
	}
}

func (c *checker) number(s *huma.Schema, v *document.Value, path string) {
	n, _ := strconv.ParseFloat(v.Text, 64) // the parsers only let numbers through
	if s.Minimum != nil && n < *s.Minimum {
		c.fail(path, v.At, "must be at least %v", *s.Minimum)
	}
	if s.Maximum != nil && n > *s.Maximum {
		c.fail(path, v.At, "must be at most %v", *s.Maximum)
	}
}
