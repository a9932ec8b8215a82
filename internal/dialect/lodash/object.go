package lodash

import (
	"math"
	"slices"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

// objectFunctions are the functions over the members of objects.
func objectFunctions() []jsonata.Func {
	return []jsonata.Func{
		{Name: "pick", Params: 2, Call: pick},
		{Name: "omit", Params: 2, Call: omit},
		{Name: "keys", Signature: "<x-:a<s>>", Params: 1, Call: keys},
		{Name: "each", Signature: "<o-f:a>", Params: 2, Call: each},
		{Name: "sift", Signature: "<o-f?:o>", Params: 2, Call: sift},
		{Name: "zipSqlResponse", Params: 3, Call: zipSQLResponse},
	}
}

// pick copies the members at the given paths, with the objects and arrays around them, in the order of the paths. A list
// among the paths is one path in pieces.
func pick(c *jsonata.Call) (jsonata.Value, error) {
	source, out := c.Arg(0), newDraft(false)
	if js.IsNullish(source) {
		return jsonata.NewObject(0), nil
	}
	if err := js.Visit(c, c.Arg(1)); err != nil {
		return nil, err
	}
	for _, p := range js.List(c.Arg(1)) {
		if err := c.Step(1); err != nil {
			return nil, err
		}
		at, err := callPath(c, p)
		if err != nil {
			return nil, err
		}
		keys := at.in(source)
		v, ok := followKeys(source, keys)
		if !ok || slices.ContainsFunc(keys, isUnsafeKey) {
			continue
		}
		if err := out.set(keys, v); err != nil {
			return nil, err
		}
	}
	return out.value(), nil
}

// isUnsafeKey reports whether lodash does not write a member of that name.
func isUnsafeKey(key string) bool {
	return key == "__proto__" || key == "constructor" || key == "prototype"
}

// draft is an object or array under construction.
type draft struct {
	list    bool
	members *jsonata.Object // of values, or of drafts
	length  int             // of a list
}

func newDraft(list bool) *draft { return &draft{list: list, members: jsonata.NewObject(0)} }

// set puts v at the end of a path, making objects, or arrays before an index, on the way. A part that was taken from
// the source as a whole has v in it already.
func (d *draft) set(keys []string, v jsonata.Value) error {
	index, isIndex := js.IndexOf(keys[0])
	if d.list && isIndex {
		if index > js.MaxIndex {
			return js.FailedError("array index %d is too large", index)
		}
		d.length = max(d.length, index+1)
	}
	if len(keys) == 1 {
		d.members.Set(keys[0], v)
		return nil
	}
	next, _ := d.members.Get(keys[0])
	if js.IsComposite(next) {
		return nil
	}
	nested, ok := next.(*draft)
	if !ok {
		_, isIndex := js.IndexOf(keys[1])
		nested = newDraft(isIndex)
		d.members.Set(keys[0], nested)
	}
	return nested.set(keys[1:], v)
}

func (d *draft) value() jsonata.Value {
	if d.list {
		items := make([]jsonata.Value, d.length)
		for key, v := range d.members.All() {
			if i, ok := js.IndexOf(key); ok {
				items[i] = finished(v)
			}
		}
		return jsonata.NewArray(items...)
	}
	out := jsonata.NewObject(d.members.Len())
	for key, v := range d.members.All() {
		if v != nil {
			out.Set(key, finished(v))
		}
	}
	return out
}

func finished(v jsonata.Value) jsonata.Value {
	if d, ok := v.(*draft); ok {
		return d.value()
	}
	return v
}

// omit copies an object without the members at the given paths. An item of an array leaves a hole.
func omit(c *jsonata.Call) (jsonata.Value, error) {
	if err := js.Visit(c, c.Arg(1)); err != nil {
		return nil, err
	}
	source := c.Arg(0)
	entries, err := js.CallEntries(c, source)
	if err != nil {
		return nil, err
	}
	var out jsonata.Value = copyOf(entries)
	for _, p := range js.List(c.Arg(1)) {
		at, err := callPath(c, p)
		if err != nil {
			return nil, err
		}
		keys := at.in(source)
		if err := c.Step(len(keys)); err != nil {
			return nil, err
		}
		if out, err = without(c, out, keys); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func copyOf(o *jsonata.Object) *jsonata.Object {
	out := jsonata.NewObject(o.Len())
	for key, v := range o.All() {
		out.Set(key, v)
	}
	return out
}

// without returns v without the member at the end of the path, sharing everything else.
func without(c *jsonata.Call, v jsonata.Value, keys []string) (jsonata.Value, error) {
	if len(keys) == 0 {
		return v, nil
	}
	member, ok := js.Property(v, keys[0])
	if !ok {
		return v, nil
	}
	var err error
	if len(keys) > 1 {
		if member, err = without(c, member, keys[1:]); err != nil {
			return nil, err
		}
	}
	switch v := v.(type) {
	case *jsonata.Array:
		return replaceItem(c, v, keys, member)
	case *jsonata.Object:
		return replaceMember(c, v, keys, member)
	case string:
		return nil, js.ArgumentError("$omit: the path ends in a character of a text")
	}
	return v, nil
}

func replaceItem(c *jsonata.Call, a *jsonata.Array, keys []string, v jsonata.Value) (jsonata.Value, error) {
	i, ok := js.IndexOf(keys[0])
	if !ok {
		return a, nil
	}
	items := slices.Clone(a.Items())
	items[i] = nil
	if len(keys) > 1 {
		items[i] = v
	}
	return jsonata.NewArray(items...), c.Step(len(items))
}

func replaceMember(c *jsonata.Call, o *jsonata.Object, keys []string, v jsonata.Value) (jsonata.Value, error) {
	out := jsonata.NewObject(o.Len())
	for key, old := range o.All() {
		switch {
		case key != keys[0]:
			out.Set(key, old)
		case len(keys) > 1:
			out.Set(key, v)
		}
	}
	return out, c.Step(out.Len())
}

// keys lists the keys of an object, or each key once of the objects in a list. A single key is returned without a list.
func keys(c *jsonata.Call) (jsonata.Value, error) {
	seen := make(map[string]bool)
	order := []jsonata.Value{}
	add := func(keys []string) {
		for _, key := range keys {
			if !seen[key] {
				seen[key] = true
				order = append(order, key)
			}
		}
	}
	var collect func(v jsonata.Value) error
	collect = func(v jsonata.Value) error {
		switch v := v.(type) {
		case *jsonata.Array:
			if err := c.Step(v.Len()); err != nil {
				return err
			}
			for _, item := range v.Items() {
				if err := collect(item); err != nil {
					return err
				}
			}
		case *jsonata.Object:
			add(v.Keys())
			return c.Step(v.Len())
		case jsonata.Lister:
			add(v.Names())
		}
		return nil
	}
	if err := collect(c.Arg(0)); err != nil {
		return nil, err
	}
	return collapse(order), nil
}

// collapse returns nothing for no items, the item for one, and a list for more.
func collapse(items []jsonata.Value) jsonata.Value {
	switch len(items) {
	case 0:
		return nil
	case 1:
		return items[0]
	}
	return jsonata.NewArray(items...)
}

// each calls a function with every member, its key and the object, and lists what it returns.
func each(c *jsonata.Call) (jsonata.Value, error) {
	object, ok := js.Listed(c.Arg(0))
	if !ok {
		return nil, nil
	}
	out := []jsonata.Value{}
	for key, member := range object.All() {
		v, err := applyMember(c, key, member)
		if err != nil {
			return nil, err
		}
		if v != nil {
			out = append(out, v)
		}
	}
	return collapse(out), nil
}

// applyMember calls the function in the second argument with as many arguments as it declares.
func applyMember(c *jsonata.Call, key string, member jsonata.Value) (jsonata.Value, error) {
	args := []jsonata.Value{member, key, c.Arg(0)}
	return c.Apply(c.Arg(1), args[:max(min(c.Arity(c.Arg(1)), len(args)), 1)]...)
}

// sift keeps the members that a function accepts.
func sift(c *jsonata.Call) (jsonata.Value, error) {
	object, ok := js.Listed(c.Arg(0))
	if !ok {
		return nil, nil
	}
	out := jsonata.NewObject(0)
	for key, member := range object.All() {
		v, err := applyMember(c, key, member)
		if err != nil {
			return nil, err
		}
		keep, err := accepts(c, v)
		if err != nil {
			return nil, err
		}
		if keep {
			out.Set(key, member)
		}
	}
	if out.Len() == 0 {
		return nil, nil
	}
	return out, nil
}

// accepts tells whether $sift takes the result of its function for true. Other than $boolean it does so for functions,
// and rejects infinite numbers.
func accepts(c *jsonata.Call, v jsonata.Value) (bool, error) {
	switch v := v.(type) {
	case *jsonata.Function:
		return true, nil
	case float64:
		if math.IsInf(v, 0) {
			return false, &jsonata.Error{Code: "D1001", Message: "Number out of range", Value: v}
		}
	case *jsonata.Array:
		if err := c.Step(v.Len()); err != nil {
			return false, err
		}
		for _, item := range v.Items() {
			if ok, err := accepts(c, item); ok || err != nil {
				return ok, err
			}
		}
		return false, nil
	}
	return jsonata.Boolean(v), nil
}

// zipSQLResponse turns the columns and rows of a database's response into objects. The key says which member of a column
// is its name.
func zipSQLResponse(c *jsonata.Call) (jsonata.Value, error) {
	columns, ok := c.Arg(0).(*jsonata.Array)
	if !ok {
		return nil, js.ArgumentError("$zipSqlResponse: the columns are %s, want an array", js.TypeName(c.Arg(0)))
	}
	rows, ok := c.Arg(1).(*jsonata.Array)
	if !ok {
		return nil, js.ArgumentError("$zipSqlResponse: the data is %s, want an array", js.TypeName(c.Arg(1)))
	}
	key, err := js.CallText(c, c.Arg(2))
	if err != nil {
		return nil, err
	}
	names := make([]string, columns.Len())
	for i, column := range columns.Items() {
		if js.IsNullish(column) {
			return nil, js.ArgumentError("$zipSqlResponse: column %d is %s", i, js.TypeName(column))
		}
		name, _ := js.Property(column, key)
		if names[i], err = js.CallText(c, name); err != nil {
			return nil, err
		}
	}
	out := make([]jsonata.Value, rows.Len())
	for i, row := range rows.Items() {
		if err := c.Step(1 + len(names)); err != nil {
			return nil, err
		}
		if js.IsNullish(row) && len(names) > 0 {
			return nil, js.ArgumentError("$zipSqlResponse: row %d is %s", i, js.TypeName(row))
		}
		if out[i], err = zipRow(c, names, row); err != nil {
			return nil, err
		}
	}
	return jsonata.NewArray(out...), nil
}

func zipRow(c *jsonata.Call, names []string, row jsonata.Value) (jsonata.Value, error) {
	o := jsonata.NewObject(len(names))
	cells, isArray := row.(*jsonata.Array)
	text, _ := row.(string) // whose characters are counted for each of them
	for i, name := range names {
		if err := c.Step(min(i, len(text)) / 16); err != nil {
			return nil, err
		}
		var cell jsonata.Value
		if isArray {
			cell = cells.At(i)
		} else {
			cell, _ = js.Property(row, jsonata.FormatNumber(float64(i)))
		}
		if cell == nil {
			o.Delete(name)
			continue
		}
		o.Set(name, cell)
	}
	return o, nil
}
