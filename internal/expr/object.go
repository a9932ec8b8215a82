package expr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/millrace/millrace/jsonata"
)

// Member returns a member of an object; null counts as absent.
func Member(o *jsonata.Object, key string) jsonata.Value {
	v, _ := o.Get(key)
	if _, null := v.(jsonata.Null); null {
		return nil
	}
	return v
}

// SetMembers sets the members of a JSON object in o; nothing and null have none.
func SetMembers(o *jsonata.Object, raw json.RawMessage) error {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	v, err := jsonata.FromJSON(raw)
	if err != nil {
		return err
	}
	source, ok := v.(*jsonata.Object)
	if !ok {
		return fmt.Errorf("not an object: %.40s", raw)
	}
	for key, member := range source.All() {
		o.Set(key, member)
	}
	return nil
}

// CopyObject returns a copy of an object with room for more members.
func CopyObject(o *jsonata.Object, room int) *jsonata.Object {
	out := jsonata.NewObject(o.Len() + room)
	for key, v := range o.All() {
		out.Set(key, v)
	}
	return out
}

// Brief quotes the beginning of a value for a message.
func Brief(v jsonata.Value) string {
	raw, err := jsonata.ToJSON(v)
	if err != nil || v == nil {
		return "nothing"
	}
	const most = 80
	if len(raw) > most {
		return strings.ToValidUTF8(string(raw[:most]), "") + "..."
	}
	return string(raw)
}

// Cancelled reports whether an evaluation ended because its context did, which says nothing about the expression.
func Cancelled(ctx context.Context, err error) bool {
	var e *jsonata.Error
	return ctx.Err() != nil && (!errors.As(err, &e) || e.IsLimit())
}
