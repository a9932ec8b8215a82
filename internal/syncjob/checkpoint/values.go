package checkpoint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/millrace/millrace/jsonata"
)

// MaxInline is the size from which a list of records gets a row of its own, which is written once. A shorter one is
// written again with every change of the checkpoint.
const MaxInline = 16 << 10

// Values is a list of values in a checkpoint: written out, or the number of the part that holds it.
type Values struct {
	Items  []jsonata.Value
	raw    json.RawMessage // encoded; dropped once it is stored
	length int             // of the encoded list; 0: not known
	number int64           // of the part; 0: none
}

// NewValues returns a list that is written out.
func NewValues(items []jsonata.Value) *Values { return &Values{Items: items} }

// MarshalJSON encodes the list, or the number of its part.
func (v *Values) MarshalJSON() ([]byte, error) {
	if v.number != 0 {
		return strconv.AppendInt(nil, v.number, 10), nil
	}
	return v.encoded()
}

// encoded returns the encoded list.
func (v *Values) encoded() (json.RawMessage, error) {
	if v.raw == nil {
		raw, err := jsonata.AppendJSON(nil, jsonata.NewArray(v.Items...), keepFile)
		if err != nil {
			return nil, fmt.Errorf("encode records: %w", err)
		}
		v.raw, v.length = raw, len(raw)
	}
	return v.raw, nil
}

// UnmarshalJSON decodes the list, or the number of its part, which must be filled in.
func (v *Values) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] != '[' {
		var err error
		if v.number, err = strconv.ParseInt(string(raw), 10, 64); err != nil {
			return fmt.Errorf("decode records: %w", err)
		}
		return nil
	}
	if err := v.fill(raw); err != nil {
		return err
	}
	v.raw = slices.Clone(raw)
	return nil
}

// fill decodes an encoded list.
func (v *Values) fill(raw []byte) error {
	decoded, err := jsonata.FromJSON(raw)
	if err != nil {
		return fmt.Errorf("decode records: %w", err)
	}
	if bytes.Contains(raw, []byte(`"\u0000file"`)) {
		decoded = restoreFiles(decoded)
	}
	list, ok := decoded.(*jsonata.Array)
	if !ok {
		return fmt.Errorf("decode records: not an array: %.40s", raw)
	}
	v.Items, v.length = list.Items(), len(raw)
	return nil
}

// size is the length of the encoded list.
func (v *Values) size() (int, error) {
	if v.length == 0 {
		if _, err := v.encoded(); err != nil {
			return 0, err
		}
	}
	return v.length, nil
}

// Collection is what a spool has collected, in lists of some size each.
type Collection []*Values

// Add adds a batch. It joins the last list while that is short.
func (c Collection) Add(items []jsonata.Value) Collection {
	if n := len(c); n > 0 && c[n-1].number == 0 && c[n-1].length < MaxInline {
		joined := NewValues(slices.Concat(c[n-1].Items, items))
		return append(slices.Clone(c[:n-1]), joined)
	}
	return append(slices.Clone(c), NewValues(items))
}

// Items returns everything that was collected.
func (c Collection) Items() []jsonata.Value {
	var all []jsonata.Value
	for _, v := range c {
		all = append(all, v.Items...)
	}
	return all
}

// Size is the length of everything that was collected.
func (c Collection) Size() (int, error) {
	sum := 0
	for _, v := range c {
		n, err := v.size()
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// lists returns every list of a checkpoint.
func (c *Point) lists() []*Values {
	var out []*Values
	for _, f := range c.Stack {
		if f.Walk != nil {
			for _, p := range f.Walk.Parts {
				out = append(out, p.Records)
			}
			continue
		}
		if f.Call.Elements != nil {
			out = append(out, f.Call.Elements)
		}
		for _, collected := range f.Call.Spools {
			out = append(out, collected...)
		}
	}
	return out
}

// Fill fills in the lists that are kept in parts.
func (c *Point) Fill(parts map[int64][]byte) error {
	for _, v := range c.lists() {
		if v.number == 0 {
			continue
		}
		raw, ok := parts[v.number]
		if !ok {
			return fmt.Errorf("the checkpoint names part %d, which is missing", v.number)
		}
		if err := v.fill(raw); err != nil {
			return err
		}
	}
	return nil
}

// Spill gives long lists a part of their own. It returns the new parts, and the numbers of all that are in use.
func (c *Point) Spill(limit int) (map[int64][]byte, map[int64]bool, error) {
	fresh, used := map[int64][]byte{}, map[int64]bool{}
	for _, v := range c.lists() {
		if v.number == 0 {
			raw, err := v.encoded()
			if err != nil {
				return nil, nil, err
			}
			if len(raw) <= limit {
				continue
			}
			c.Parts++
			v.number, v.raw = c.Parts, nil
			fresh[v.number] = raw
		}
		used[v.number] = true
	}
	return fresh, used, nil
}
