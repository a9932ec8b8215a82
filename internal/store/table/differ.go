package table

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace"
)

// What one entry of the audit log may take.
const (
	maxWhole  = 64 << 10 // bytes of a document that is compared member by member
	maxPlaces = 100      // that were changed
	maxValue  = 4 << 10  // bytes of the text of one value
	maxSide   = 32 << 10 // bytes of all values before, and of all after
	maxPath   = 300      // bytes
)

// What stands for a secret.
const (
	theSecret     = "[secret]"
	anotherSecret = "[another secret]"
)

// difference is what two states of a row do not have in common, by the path of each place.
type difference struct {
	before, after         map[string]any
	sizeBefore, sizeAfter int
	more                  int64
}

// differ compares two states of a row; nil: there was, or is, none.
func differ(was, is map[string]value) *difference {
	d := &difference{before: map[string]any{}, after: map[string]any{}}
	names := slices.Collect(maps.Keys(was))
	names = slices.AppendSeq(names, maps.Keys(is))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		a, b := was[name], is[name]
		switch {
		case was == nil || is == nil: // one object, as a whole, without what is empty
			d.add(name, filled(a.doc), filled(b.doc))
		default:
			d.walk(name, a.doc, b.doc)
		}
		if a.hidden || b.hidden {
			d.secret(name, a, b)
		}
	}
	return d
}

// secret notes that there is, or was, a secret, and whether it is another one. One of which a part may be shown is noted when that part is the same.
func (d *difference) secret(name string, a, b value) {
	if a.doc != nil || b.doc != nil {
		if a.secret != b.secret && a.secret != "" && b.secret != "" && reflect.DeepEqual(a.doc, b.doc) {
			d.add(name+" (secret part)", theSecret, anotherSecret)
		}
		return
	}
	had, has := any(nil), any(nil)
	if a.secret != "" {
		had = theSecret
	}
	if b.secret != "" {
		has = theSecret
		if had != nil && a.secret != b.secret {
			has = anotherSecret
		}
	}
	d.add(name, had, has)
}

// walk compares two values down to where they differ.
func (d *difference) walk(path string, a, b any) {
	switch was := a.(type) {
	case map[string]any:
		if is, ok := b.(map[string]any); ok {
			for _, key := range slices.Sorted(maps.Keys(union(was, is))) {
				d.walk(path+"."+key, was[key], is[key])
			}
			return
		}
	case []any:
		if is, ok := b.([]any); ok {
			for i := range max(len(was), len(is)) {
				d.walk(fmt.Sprintf("%s[%d]", path, i), itemOf(was, i), itemOf(is, i))
			}
			return
		}
	}
	d.add(path, a, b)
}

// filled returns nil for an empty object or list.
func filled(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 0 {
			return nil
		}
	case []any:
		if len(v) == 0 {
			return nil
		}
	}
	return v
}

func union(a, b map[string]any) map[string]any {
	both := maps.Clone(a)
	maps.Copy(both, b)
	return both
}

func itemOf(list []any, i int) any {
	if i < len(list) {
		return list[i]
	}
	return nil
}

// add notes a place that differs, if there is room.
func (d *difference) add(path string, a, b any) {
	if reflect.DeepEqual(a, b) {
		return
	}
	path = strings.ToValidUTF8(path[:min(len(path), maxPath)], "")
	was, sizeWas := short(a)
	is, sizeIs := short(b)
	if len(d.before)+len(d.after) >= 2*maxPlaces || d.sizeBefore+sizeWas > maxSide || d.sizeAfter+sizeIs > maxSide {
		d.more++
		return
	}
	if was != nil {
		d.before[path], d.sizeBefore = was, d.sizeBefore+sizeWas+len(path)
	}
	if is != nil {
		d.after[path], d.sizeAfter = is, d.sizeAfter+sizeIs+len(path)
	}
}

// short returns a value, or the beginning of its text, and how much it takes.
func short(v any) (any, int) {
	if v == nil {
		return nil, 0
	}
	text, ok := v.(string)
	if !ok {
		b, err := json.Marshal(v)
		if err == nil && len(b) <= maxValue {
			return v, len(b)
		}
		text = string(b)
	}
	if len(text) <= maxValue {
		return text, len(text)
	}
	cut := maxValue
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return fmt.Sprintf("%s... (%d bytes)", text[:cut], len(text)), maxValue
}

func (d *difference) empty() bool { return len(d.before)+len(d.after) == 0 && d.more == 0 }

// json returns one side of the difference as an object.
func (*difference) json(side map[string]any) json.RawMessage {
	b, err := json.Marshal(side)
	if err != nil {
		return json.RawMessage("{}") // what was decoded can be encoded
	}
	return b
}

// decoded returns what a JSON text says; nil where it says nothing.
func decoded(text json.RawMessage) any {
	if len(text) == 0 {
		return nil
	}
	if len(text) > maxWhole {
		return fmt.Sprintf("%d bytes with the SHA-256 %x", len(text), sha256.Sum256(text))
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return millrace.Shorten(string(text))
	}
	return v
}
