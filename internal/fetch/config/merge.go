package config

import (
	"encoding/json"

	"github.com/millrace/millrace/internal/expr"
)

// Merge merges overrides over a config: objects member by member, everything else replaced as a whole, arrays too.
// A slot, which is a member at the top of an override, that is null is the one below. Deeper down, null removes a member; where
// there is nothing to remove it stays, because a null means something to a method that an override adds (no pagination,
// no authorization). The order of an integration's config is kept. A document that is
// not JSON is returned unchanged, for [ParseConfig] to report.
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
		o, ok := override.(*expr.Object)
		if !ok {
			continue
		}
		for _, slot := range o.Keys() {
			if v, _ := o.Get(slot); v == (expr.Null{}) {
				o.Delete(slot)
			}
		}
		if o.Len() > 0 {
			merged, changed = expr.Merge(merged, o, replaceOrRemove), true
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

// replaceOrRemove is the rule of configs: null removes what is there, any other value is replaced.
func replaceOrRemove(base, over expr.Value) expr.Value {
	if _, null := over.(expr.Null); null && base != nil {
		return nil
	}
	return over
}
