package lodash

import (
	"math"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

// collectionFunctions are lodash's functions over lists. Most take a single value for a list of one.
func collectionFunctions() []jsonata.Func {
	return []jsonata.Func{
		{Name: "groupBy", Params: 2, Call: groupBy},
		{Name: "keyBy", Params: 2, Call: keyBy},
		{Name: "compact", Params: 1, Call: compact},
		{Name: "orderBy", Params: 3, Call: orderByFunction},
		{Name: "find", Params: 2, Call: find},
		{Name: "lofilter", Params: 2, Call: filter},
		{Name: "values", Params: 1, Call: values},
		{Name: "chunk", Params: 2, Call: chunk},
		{Name: "difference", Params: 2, Call: difference},
		{Name: "flatten", Params: 1, Call: func(c *jsonata.Call) (jsonata.Value, error) { return flatten(c, 1) }},
		{Name: "flattenDeep", Params: 1, Call: func(c *jsonata.Call) (jsonata.Value, error) { return flatten(c, math.Inf(1)) }},
		{Name: "flattenDepth", Params: 2, Call: flattenDepth},
		{Name: "removeEmpty", Params: 1, Call: removeEmpty},
		{Name: "removeEmptyItems", Params: 1, Call: removeEmptyItems},
	}
}

func groupBy(c *jsonata.Call) (jsonata.Value, error) {
	groups := jsonata.NewObject(0)
	err := eachKeyed(c, func(key string, item jsonata.Value) {
		if group, ok := groups.Get(key); ok {
			group.(*jsonata.Array).Append(item)
			return
		}
		groups.Set(key, jsonata.NewArray(item))
	})
	return groups, err
}

// keyBy keeps the last item of each key.
func keyBy(c *jsonata.Call) (jsonata.Value, error) {
	out := jsonata.NewObject(0)
	err := eachKeyed(c, func(key string, item jsonata.Value) {
		out.Set(key, item)
	})
	return out, err
}

// eachKeyed calls add with every item of the first argument and the key that the second makes of it.
func eachKeyed(c *jsonata.Call, add func(key string, item jsonata.Value)) error {
	key := newIteratee(c, c.Arg(1))
	for _, item := range js.List(c.Arg(0)) {
		if err := c.Step(1); err != nil {
			return err
		}
		v, err := key(item)
		if err != nil {
			return err
		}
		name, err := js.CallText(c, v)
		if err != nil {
			return err
		}
		add(name, item)
	}
	return nil
}

// selectItems returns the items of the first argument that keep accepts.
func selectItems(c *jsonata.Call, keep func(jsonata.Value) (bool, error)) ([]jsonata.Value, error) {
	out := []jsonata.Value{}
	for _, item := range js.List(c.Arg(0)) {
		if err := c.Step(1); err != nil {
			return nil, err
		}
		ok, err := keep(item)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, item)
		}
	}
	return out, nil
}

func compact(c *jsonata.Call) (jsonata.Value, error) {
	return asList(selectItems(c, func(item jsonata.Value) (bool, error) { return js.IsTrue(item), nil }))
}

func filter(c *jsonata.Call) (jsonata.Value, error) {
	return asList(selectItems(c, predicate(c)))
}

func find(c *jsonata.Call) (jsonata.Value, error) {
	accepts := predicate(c)
	for _, item := range js.List(c.Arg(0)) {
		if err := c.Step(1); err != nil {
			return nil, err
		}
		if ok, err := accepts(item); ok || err != nil {
			return item, err
		}
	}
	return nil, nil
}

// predicate is the second argument as a condition.
func predicate(c *jsonata.Call) func(jsonata.Value) (bool, error) {
	test := newIteratee(c, c.Arg(1))
	return func(item jsonata.Value) (bool, error) {
		v, err := test(item)
		return js.IsTrue(v), err
	}
}

func asList(items []jsonata.Value, err error) (jsonata.Value, error) {
	if err != nil {
		return nil, err
	}
	return jsonata.NewArray(items...), nil
}

// orderByFunction implements $orderBy(list, iteratees, orders). A list among the iteratees is a path.
func orderByFunction(c *jsonata.Call) (jsonata.Value, error) {
	var by []iteratee
	if !js.IsNullish(c.Arg(1)) {
		for _, short := range js.List(c.Arg(1)) {
			by = append(by, sortKey(c, short))
		}
	}
	if len(by) == 0 {
		by = []iteratee{newIteratee(c, nil)}
	}
	var orders []jsonata.Value
	if !js.IsNullish(c.Arg(2)) {
		orders = js.List(c.Arg(2))
	}
	return asList(orderBy(c, js.List(c.Arg(0)), by, orders))
}

func sortKey(c *jsonata.Call, short jsonata.Value) iteratee {
	keys, ok := short.(*jsonata.Array)
	if !ok {
		return newIteratee(c, short)
	}
	if keys.Len() == 1 {
		short = keys.At(0)
	}
	return readPath(callPath(c, short))
}

// values lists the members of an object, the items of an array or the characters of a text.
func values(c *jsonata.Call) (jsonata.Value, error) {
	members, err := js.CallEntries(c, c.Arg(0))
	if err != nil {
		return nil, err
	}
	out := make([]jsonata.Value, 0, members.Len())
	for _, v := range members.All() {
		out = append(out, v)
	}
	return jsonata.NewArray(out...), c.Step(len(out))
}

func chunk(c *jsonata.Call) (jsonata.Value, error) {
	items, size := js.List(c.Arg(0)), 1.0
	if err := js.GrowText(c, 0, c.Arg(1)); err != nil {
		return nil, err
	}
	if c.Arg(1) != nil {
		size = js.Integer(c.Arg(1))
	}
	out := []jsonata.Value{}
	if size < 1 {
		return jsonata.NewArray(out...), nil
	}
	length := int(math.Min(size, float64(max(len(items), 1))))
	for ; len(items) > 0; items = items[min(length, len(items)):] {
		out = append(out, jsonata.NewArray(items[:min(length, len(items))]...))
	}
	return jsonata.NewArray(out...), c.Step(len(out))
}

// difference lists the items of the first list that are not in the second. A second argument that is not a list is
// ignored, although it may be what is left of a list of one.
func difference(c *jsonata.Call) (jsonata.Value, error) {
	list, ok := c.Arg(0).(*jsonata.Array)
	if !ok {
		return jsonata.NewArray(), nil
	}
	excluded := make(map[any]bool)
	if others, ok := c.Arg(1).(*jsonata.Array); ok {
		for _, other := range others.Items() {
			if err := c.Step(1); err != nil {
				return nil, err
			}
			excluded[js.Identity(other)] = true
		}
	}
	out := []jsonata.Value{}
	for _, item := range list.Items() {
		if err := c.Step(1); err != nil {
			return nil, err
		}
		if !excluded[js.Identity(item)] {
			out = append(out, item)
		}
	}
	return jsonata.NewArray(out...), nil
}

func flattenDepth(c *jsonata.Call) (jsonata.Value, error) {
	if c.Arg(1) == nil {
		return flatten(c, 1)
	}
	if err := js.GrowText(c, 0, c.Arg(1)); err != nil {
		return nil, err
	}
	return flatten(c, js.Integer(c.Arg(1)))
}

func flatten(c *jsonata.Call, depth float64) (jsonata.Value, error) {
	out := []jsonata.Value{}
	var add func(items []jsonata.Value, depth float64) error
	add = func(items []jsonata.Value, depth float64) error {
		if err := c.Step(len(items)); err != nil {
			return err
		}
		for _, item := range items {
			if nested, ok := item.(*jsonata.Array); ok && depth > 0 {
				if err := add(nested.Items(), depth-1); err != nil {
					return err
				}
				continue
			}
			out = append(out, item)
		}
		return nil
	}
	if err := add(js.List(c.Arg(0)), depth); err != nil {
		return nil, err
	}
	return jsonata.NewArray(out...), nil
}

// removeEmpty drops what has no length: empty text and lists, and everything that has no such member.
func removeEmpty(c *jsonata.Call) (jsonata.Value, error) {
	if js.IsNullish(c.Arg(0)) {
		return nil, js.ArgumentError("$removeEmpty: the argument is %s", js.TypeName(c.Arg(0)))
	}
	if length, _ := js.Property(c.Arg(0), "length"); !js.IsTrue(length) {
		return nil, nil
	}
	return c.Arg(0), nil
}

// removeEmptyItems drops the items that are false in JavaScript's sense and the empty objects and lists. What is not a
// list is returned unchanged.
func removeEmptyItems(c *jsonata.Call) (jsonata.Value, error) {
	if _, ok := c.Arg(0).(*jsonata.Array); !ok {
		return c.Arg(0), nil
	}
	return asList(selectItems(c, func(item jsonata.Value) (bool, error) {
		switch item := item.(type) {
		case *jsonata.Array:
			return item.Len() > 0, nil
		case *jsonata.Object:
			return item.Len() > 0, nil
		}
		return js.IsTrue(item), nil
	}))
}
