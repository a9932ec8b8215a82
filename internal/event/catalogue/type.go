package catalogue

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/millrace/millrace"
)

// Type describes a type of events.
type Type struct {
	Name    string
	About   string // when it happens
	Example any    // of the type of the payload; nil: nothing here emits it
	Open    bool   // the payload may have any members
}

// ScopeName is a name that expressions see.
type ScopeName struct {
	Name string `json:"name"`
	From string `json:"from" doc:"Where its value comes from."`
}

// Find returns the type of an event; every custom event is of the same.
func Find(name string) (Type, bool) {
	if millrace.IsCustomEvent(name) {
		name = Custom
	}
	all := Types()
	i := slices.IndexFunc(all, func(t Type) bool { return t.Name == name })
	if i < 0 {
		return Type{}, false
	}
	return all[i], true
}

// Scope lists what expressions see of an event. It says in words what expr.EventScope does.
func (t *Type) Scope() []ScopeName {
	names := []ScopeName{
		{"event", "the whole event: id, event, payload, environment_id, created_at"},
		{"environment_id", "the environment"},
		{"integrated_account_id", "the account that the event is about, if it is about one"},
		{"context", "the context of that account, without its credentials"},
		{"steps", "the results of the steps before"},
	}
	own := len(names)
	for _, member := range t.members() {
		if !slices.ContainsFunc(names[:own], func(n ScopeName) bool { return n.Name == member }) {
			names = append(names, ScopeName{member, "payload." + member})
		}
	}
	return names
}

// NamesAccount reports whether an event of this type can be about an account.
func (t *Type) NamesAccount() bool {
	return t.Open || strings.HasPrefix(t.Name, "integrated_account:") || slices.Contains(t.members(), "integrated_account_id")
}

// Below returns the members that a member of the payload can have. It is empty when they have no fixed names, or when there is no
// such member.
func (t *Type) Below(member string) []string {
	if t.Example == nil {
		return nil
	}
	found := memberOf(reflect.TypeOf(t.Example), member)
	if found == nil || found.Implements(reflect.TypeFor[json.Marshaler]()) {
		return nil
	}
	return membersOf(found)
}

// memberOf returns the type of a member, and of the items of one that is an array; nil: there is none.
func memberOf(t reflect.Type, name string) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for f := range t.Fields() {
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && tag == "" {
			if found := memberOf(f.Type, name); found != nil {
				return found
			}
			continue
		}
		if tag == name && f.Type.Kind() == reflect.Slice {
			return f.Type.Elem()
		}
		if tag == name {
			return f.Type
		}
	}
	return nil
}

// members are the members that a payload can have, sorted.
func (t *Type) members() []string {
	if t.Example == nil {
		return nil
	}
	names := membersOf(reflect.TypeOf(t.Example))
	slices.Sort(names)
	return slices.Compact(names)
}

// membersOf returns the members of a struct as encoding/json names them. Whatever else has members of no fixed names.
func membersOf(t reflect.Type) []string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	var names []string
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			names = append(names, membersOf(f.Type)...)
		case f.IsExported() && name != "-" && name != "":
			names = append(names, name)
		}
	}
	return names
}
