package qs

import (
	"slices"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

const (
	latin1         = "iso-8859-1"
	utf8Sentinel   = "utf8=%E2%9C%93"
	latin1Sentinel = "utf8=%26%2310003%3B"
)

// options are the options of $parseQuery and $stringifyQuery.
type options struct {
	members *jsonata.Object
}

func optionsOf(v jsonata.Value) options {
	if o, ok := v.(*jsonata.Object); ok {
		return options{o}
	}
	return options{jsonata.NewObject(0)}
}

func (o options) get(name string) jsonata.Value { return js.Get(o.members, name) }

// flag returns a boolean option; other values count as not given.
func (o options) flag(name string, fallback bool) bool {
	if b, ok := o.get(name).(bool); ok {
		return b
	}
	return fallback
}

func (o options) text(name, fallback string) string {
	if v := o.get(name); v != nil {
		return js.Text(v)
	}
	return fallback
}

func (o options) number(name string, fallback float64) float64 {
	if f, ok := o.get(name).(float64); ok {
		return f
	}
	return fallback
}

func (o options) mustBeBool(name string) error {
	switch o.get(name).(type) {
	case nil, bool:
		return nil
	}
	return js.ArgumentError("`%s` option can only be `true` or `false`, when provided", name)
}

func (o options) charset() (string, error) {
	switch charset := o.get("charset"); charset {
	case nil:
		return "utf-8", nil
	case "utf-8", latin1:
		return js.Text(charset), nil
	}
	return "", js.ArgumentError("The charset option must be either utf-8, iso-8859-1, or undefined")
}

// dots tells whether dots separate names. Encoding or decoding dots within names implies it.
func (o options) dots(codeDots bool) bool {
	if v := o.get("allowDots"); v != nil {
		return js.IsTrue(v)
	}
	return codeDots
}

// arrayFormat returns how arrays are written. indices: false is the old word for repeat.
func (o options) arrayFormat() string {
	format, _ := o.get("arrayFormat").(string)
	if slices.Contains([]string{"indices", "brackets", "repeat", "comma"}, format) {
		return format
	}
	if v, ok := o.members.Get("indices"); ok && !js.IsTrue(v) {
		return "repeat"
	}
	return "indices"
}
