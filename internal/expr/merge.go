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
	out := CopyObject(o, 0)
	out.Delete(mergeKey)
	for _, source := range js.List(value) {
		if object, ok := source.(*jsonata.Object); ok {
			if err := r.spend(object); err != nil {
				return nil, err
			}
			out, _ = Merge(out, object, appendArrays).(*jsonata.Object) // of two objects
		}
	}
	return out, nil
}

// Merge returns base with over merged into it: where both are objects member by member, in the order of base, and
// otherwise what the rule returns; nil removes the member. Neither value is changed.
func Merge(base, over jsonata.Value, rule func(base, over jsonata.Value) jsonata.Value) jsonata.Value {
	to, ok := base.(*jsonata.Object)
	from, isObject := over.(*jsonata.Object)
	if !ok || !isObject {
		return rule(base, over)
	}
	out := CopyObject(to, from.Len())
	for key, member := range from.All() {
		old, _ := out.Get(key)
		if member = Merge(old, member, rule); member == nil {
			out.Delete(key)
		} else {
			out.Set(key, member)
		}
	}
	return out
}

// Replace is the rule of [Merge] by which the other value wins.
func Replace(_, over jsonata.Value) jsonata.Value { return over }

// appendArrays is the rule of merge members: arrays are appended, any other value is replaced.
func appendArrays(base, over jsonata.Value) jsonata.Value {
	to, ok := base.(*jsonata.Array)
	from, isArray := over.(*jsonata.Array)
	if ok && isArray {
		return jsonata.NewArray(slices.Concat(to.Items(), from.Items())...)
	}
	return over
}
