package document

// MembersOf returns the members of an object, none of any other value or of nil.
func MembersOf(v *Value) []Member {
	if v == nil || v.Kind != KindObject {
		return nil
	}
	return v.Members
}

// TextIn returns the string at a key of an object, "" when there is none.
func TextIn(v *Value, key string) string {
	if v == nil || v.Kind != KindObject {
		return ""
	}
	if m := v.Get(key); m != nil && m.Kind == KindString {
		return m.Text
	}
	return ""
}
