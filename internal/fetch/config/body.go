package config

import (
	"strings"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/field"
	"github.com/millrace/millrace/internal/fetch/wire"
)

// Body says what a request carries and how it is written.
type Body struct {
	wire.Encoding
	Template *field.Template // an object, or text with placeholders
	Program  *expr.Program   // text without placeholders
}

func parseBody(f field.Field) *Body {
	b := &Body{Encoding: wire.Encoding{
		Path:   f.Get("body").Path,
		Format: f.Get("body_format").OneOf("json", "json", "form", "multipart", "raw", "xml"),
	}}
	config := f.Get("body_format_config")
	config.Members()
	b.Root = config.Get("root", "root_name", "rootName").Text()
	body := f.Get("body")
	src, isText := body.Value.(string)
	switch {
	case isText && !strings.Contains(src, "{{"):
		b.Program = body.Program()
	default:
		b.Template = body.Template()
	}
	return b
}
