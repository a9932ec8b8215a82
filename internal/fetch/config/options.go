package config

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/millrace/millrace/internal/fetch/field"
)

// options reads an object whose members may be spelt in either way: tokenHost, or token_host.
type options struct {
	field.Field
	known []string
}

func (o *options) get(name string) field.Field {
	snake := snakeCase(name)
	o.known = append(o.known, name)
	if snake != name {
		o.known = append(o.known, snake)
	}
	return o.Get(name, snake)
}

// below returns the options of a member.
func (o *options) below(name string) *options {
	f := o.get(name)
	f.Members()
	return &options{Field: f}
}

// done reports the members that nothing has read.
func (o *options) done() { o.Known(o.known...) }

func snakeCase(name string) string {
	var out strings.Builder
	for _, r := range name {
		if unicode.IsUpper(r) {
			out.WriteByte('_')
		}
		out.WriteRune(unicode.ToLower(r))
	}
	return out.String()
}

// texts reads a list of texts, or one text.
func texts(f field.Field) []string {
	if text, ok := f.Value.(string); ok {
		if text == "" {
			return nil
		}
		return []string{text}
	}
	var out []string
	for _, item := range f.List() {
		if text := item.Need(); text != "" {
			out = append(out, text)
		}
	}
	return out
}

// object reads parameters with placeholders.
func object(f field.Field) *field.Template {
	if f.Members() == nil {
		return nil
	}
	return f.Template()
}

// among reports a text that is not one of a set.
func among(f field.Field, got string, set []string) {
	if !slices.Contains(set, got) {
		f.Suggest(got, set, "%q is not one of %s", got, strings.Join(set, ", "))
	}
}

func textOr(f field.Field, fallback string) string {
	if !f.Present() {
		return fallback
	}
	return f.Need()
}

func or(t, fallback *field.Template) *field.Template {
	if t == nil {
		return fallback
	}
	return t
}

// seconds reads how often a unit passes.
func seconds(f field.Field, unit time.Duration) time.Duration {
	n := f.Natural(0)
	if most := int(100 * 365 * 24 * time.Hour / unit); n > most {
		f.Report("is too long")
		return 0
	}
	return time.Duration(n) * unit
}
