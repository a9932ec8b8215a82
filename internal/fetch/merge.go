package fetch

import (
	"encoding/json"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// Merge merges overrides over a config: objects member by member, everything else replaced as a whole, arrays too.
// Null removes a member; where there is nothing to remove it stays, because a null means something to a method that an
// override adds (no pagination, no authorization). The order of an integration's config is kept. A document that is
// not JSON is returned as it is, for [ParseConfig] to report.
func Merge(base json.RawMessage, overrides ...json.RawMessage) json.RawMessage {
	if len(base) == 0 {
		base = json.RawMessage("{}")
	}
	merged, err := expr.ParseJSON(base)
	if err != nil {
		return base
	}
	changed := false
	for _, raw := range overrides {
		if len(raw) == 0 {
			continue
		}
		override, err := expr.ParseJSON(raw)
		if err != nil {
			return raw
		}
		if o, ok := override.(*expr.Object); ok && o.Len() > 0 {
			merged, changed = mergeValue(merged, o), true
		}
	}
	if !changed {
		return base
	}
	data, err := expr.EncodeJSON(merged)
	if err != nil {
		return base
	}
	return data
}

func mergeValue(base, override expr.Value) expr.Value {
	o, ok := override.(*expr.Object)
	if !ok {
		return override
	}
	old, ok := base.(*expr.Object)
	if !ok {
		return override
	}
	merged := jsonata.NewObject(old.Len() + o.Len())
	for key, v := range old.All() {
		merged.Set(key, v)
	}
	for key, v := range o.All() {
		before, has := old.Get(key)
		if _, null := v.(expr.Null); null && has {
			merged.Delete(key)
			continue
		}
		merged.Set(key, mergeValue(before, v))
	}
	return merged
}
