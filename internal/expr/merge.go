package expr

import (
	"slices"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

// merge carries out the merge members of a rendered template, outer objects first, so that what an inner one
// merges wins.
func (r *renderer) merge(v jsonata.Value) (jsonata.Value, error) {
	switch v := v.(type) {
	case *jsonata.Array:
		items := make([]jsonata.Value, v.Len())
		for i, item := range v.Items() {
			var err error
			if items[i], err = r.merge(item); err != nil {
				return nil, err
			}
		}
		return jsonata.NewArray(items...), nil
	case *jsonata.Object:
		merged, err := r.mergeMembers(v)
		if err != nil {
			return nil, err
		}
		out := jsonata.NewObject(merged.Len())
		for key, member := range merged.All() {
			if member, err = r.merge(member); err != nil {
				return nil, err
			}
			if member != nil {
				out.Set(key, member)
			}
		}
		return out, nil
	}
	return v, nil
}

// mergeMembers merges the value of the merge member, or each of its values, into the other members of o.
func (r *renderer) mergeMembers(o *jsonata.Object) (*jsonata.Object, error) {
	value, ok := o.Get(mergeKey)
	if !ok {
		return o, nil
	}
	out := jsonata.NewObject(o.Len())
	for key, member := range o.All() {
		if key != mergeKey {
			out.Set(key, member)
		}
	}
	for _, source := range js.List(value) {
		if object, ok := source.(*jsonata.Object); ok {
			if err := r.spend(object); err != nil {
				return nil, err
			}
			out = mergeObjects(out, object)
		}
	}
	return out, nil
}

// mergeObjects merges two objects: members of the source win, objects are merged in turn and arrays appended.
func mergeObjects(target, source *jsonata.Object) *jsonata.Object {
	out := jsonata.NewObject(target.Len() + source.Len())
	for key, member := range target.All() {
		out.Set(key, member)
	}
	for key, member := range source.All() {
		old, _ := out.Get(key)
		out.Set(key, mergeValues(old, member))
	}
	return out
}

func mergeValues(target, source jsonata.Value) jsonata.Value {
	switch source := source.(type) {
	case *jsonata.Object:
		if target, ok := target.(*jsonata.Object); ok {
			return mergeObjects(target, source)
		}
	case *jsonata.Array:
		if target, ok := target.(*jsonata.Array); ok {
			return jsonata.NewArray(slices.Concat(target.Items(), source.Items())...)
		}
	}
	return source
}
