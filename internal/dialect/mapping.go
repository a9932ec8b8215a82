package dialect

import (
	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

// mappingFunctions are the functions that translate values of one system into values of another.
func mappingFunctions() []jsonata.Func {
	return []jsonata.Func{
		{Name: "mapValues", Params: 2, Call: mapValues},
		{Name: "firstNonEmpty", Params: 0, Call: firstNonEmpty},
	}
}

// firstNonEmpty returns the first argument that is neither undefined nor null.
func firstNonEmpty(c *jsonata.Call) (jsonata.Value, error) {
	for _, arg := range c.Args {
		if !js.IsNullish(arg) {
			return arg, nil
		}
	}
	return nil, nil
}

// mapValues implements $mapValues(value, mapping, lowerCase, defaultValue). What the mapping does not know stays as
// it is; only a missing value becomes the default. Keys are compared in lower case, unless lowerCase says that the
// mapping's keys are in lower case already.
func mapValues(c *jsonata.Call) (jsonata.Value, error) {
	value, fallback := c.Arg(0), c.Arg(3)
	if js.IsNullish(value) && !js.IsNullish(fallback) {
		return fallback, nil
	}
	if js.IsNullish(c.Arg(1)) {
		return value, nil
	}
	members, err := js.CallEntries(c, c.Arg(1))
	if err != nil {
		return nil, err
	}
	if err := c.Step(members.Len()); err != nil {
		return nil, err
	}
	keepKeys := js.IsTrue(c.Arg(2))
	if text, ok := lookupText(value); ok {
		return firstPresentOr(value, lookupScan(members, text, keepKeys)), nil
	}
	if !js.IsComposite(value) {
		return value, nil
	}
	if !keepKeys {
		members = lowerKeys(members)
	}
	return mapNested(c, value, members)
}

// lookupText returns the text that a value is looked up by; only text and numbers are looked up.
func lookupText(v jsonata.Value) (string, bool) {
	switch v := v.(type) {
	case string:
		return js.LowerCase(v), true
	case float64:
		return js.LowerCase(jsonata.FormatNumber(v)), true
	}
	return "", false
}

// lookupScan finds a key without building an index, which pays for a single value. The last of several keys
// that differ only in case wins.
func lookupScan(members *jsonata.Object, text string, keepKeys bool) jsonata.Value {
	if keepKeys {
		return js.Get(members, text)
	}
	var found jsonata.Value
	for key, v := range members.All() {
		if js.LowerCase(key) == text {
			found = v
		}
	}
	return found
}

func firstPresentOr(original, mapped jsonata.Value) jsonata.Value {
	if js.IsNullish(mapped) {
		return original
	}
	return mapped
}

func lowerKeys(o *jsonata.Object) *jsonata.Object {
	out := jsonata.NewObject(o.Len())
	for key, v := range o.All() {
		out.Set(js.LowerCase(key), v)
	}
	return out
}

// mapNested maps the items of an array and the members of an object, however deep.
func mapNested(c *jsonata.Call, v jsonata.Value, members *jsonata.Object) (jsonata.Value, error) {
	if err := c.Step(1); err != nil {
		return nil, err
	}
	if a, ok := v.(*jsonata.Array); ok {
		items := make([]jsonata.Value, a.Len())
		for i, item := range a.Items() {
			var err error
			if items[i], err = mapNested(c, item, members); err != nil {
				return nil, err
			}
		}
		return jsonata.NewArray(items...), nil
	}
	if o, ok := js.ObjectOf(v); ok {
		out := jsonata.NewObject(o.Len())
		for key, member := range o.All() {
			mapped, err := mapNested(c, member, members)
			if err != nil {
				return nil, err
			}
			out.Set(key, mapped)
		}
		return out, nil
	}
	const perStep = 256 // bytes of a text
	if s, ok := v.(string); ok {
		if err := c.Step(len(s) / perStep); err != nil {
			return nil, err
		}
	}
	if text, ok := lookupText(v); ok {
		return firstPresentOr(v, js.Get(members, text)), nil
	}
	return v, nil
}
