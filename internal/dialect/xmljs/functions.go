package xmljs

import (
	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

// maxDepth bounds how deep elements may nest.
const maxDepth = 1000

// Functions convert between XML text and objects of the two forms of the npm package xml-js: compact ones, whose members are elements
// by name, and others with a list of elements, which keep their order.
func Functions() []jsonata.Func {
	return js.Bounded(
		jsonata.Func{Name: "xmlToJs", Params: 2, Call: xmlToJS},
		jsonata.Func{Name: "jsToXml", Params: 2, Call: jsToXML},
	)
}

// options are the options of one call. They replace the defaults as a whole.
type options struct {
	values  jsonata.Value
	compact bool
}

func optionsOf(v jsonata.Value) options {
	if v == nil {
		defaults := jsonata.NewObject(2)
		defaults.Set("compact", true)
		defaults.Set("spaces", 4.0)
		v = defaults
	}
	return options{values: v, compact: js.Field(v, "compact") == true}
}

// flag is a boolean option; other values count as false.
func (o options) flag(name string) bool { return js.Field(o.values, name) == true }

// key is the name of the member for some part of a document.
func (o options) key(part string) string {
	if name, ok := js.Field(o.values, part+"Key").(string); ok {
		return name
	}
	if o.compact {
		return "_" + part
	}
	return part
}

// alwaysArray tells whether a member is an array even with a single item.
func (o options) alwaysArray(name string) bool {
	switch v := js.Field(o.values, "alwaysArray").(type) {
	case bool:
		return v
	case *jsonata.Array:
		for _, item := range v.Items() {
			if item == name {
				return true
			}
		}
	}
	return false
}

// xmlToJS implements $xmlToJs(xml, options).
func xmlToJS(c *jsonata.Call) (jsonata.Value, error) {
	builder := newBuilder(optionsOf(c.Arg(1)))
	if builder.o.flag("addParent") {
		return nil, js.ArgumentError("$xmlToJs: the option addParent is not available, since a value cannot contain itself")
	}
	switch v := c.Arg(0).(type) {
	case nil:
		return nil, js.ArgumentError("Cannot read properties of undefined (reading 'length')")
	case jsonata.Null, bool, float64: // which have no length
		return jsonata.NewObject(0), nil
	case string:
		return builder.parse(c, v)
	default:
		return builder.parse(c, js.Text(v))
	}
}

// parse reads a whole document.
func (b *builder) parse(c *jsonata.Call, text string) (jsonata.Value, error) {
	if err := c.Grow(len(text)); err != nil {
		return nil, err
	}
	p := &parser{out: b, step: c.Step}
	if err := p.run(text); err != nil {
		return nil, err
	}
	return b.root, nil
}
