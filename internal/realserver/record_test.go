package realserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// records are records by what they are and by their id. Their numbers are exact.
type records map[string]map[string]any

// add adds a record, which must be new.
func (r records) add(kind string, raw json.RawMessage) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var record map[string]any
	if err := d.Decode(&record); err != nil {
		return fmt.Errorf("a record of %s: %w", kind, err)
	}
	if name, ok := record["collectionName"].(string); ok { // PocketBase says itself what it is
		kind = name
	}
	id := fmt.Sprint(record["id"])
	if r[kind] == nil {
		r[kind] = map[string]any{}
	}
	if _, ok := r[kind][id]; ok {
		return fmt.Errorf("the record %s of %s is there twice", id, kind)
	}
	r[kind][id] = exact(record)
	return nil
}

// only returns the records with these ids.
func (r records) only(t *testing.T, ids map[string][]string) records {
	t.Helper()
	out := records{}
	for kind, list := range ids {
		out[kind] = map[string]any{}
		for _, id := range list {
			record, ok := r[kind][id]
			if !ok {
				t.Fatalf("the server does not have the record %s of %s", id, kind)
			}
			out[kind][id] = record
		}
	}
	return out
}

func (r records) count() int {
	n := 0
	for _, list := range r {
		n += len(list)
	}
	return n
}

// exact replaces numbers by their exact value, so that 1e2 is 100 but 0.1 is not what a float makes of it.
func exact(v any) any {
	switch v := v.(type) {
	case json.Number:
		if r, ok := new(big.Rat).SetString(v.String()); ok {
			return r.RatString()
		}
	case []any:
		for i := range v {
			v[i] = exact(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = exact(v[key])
		}
	}
	return v
}

// compare fails the test unless what came is what the server has.
func compare(t *testing.T, what string, got, want records) {
	t.Helper()
	for kind, list := range want {
		for id, record := range list {
			came, ok := got[kind][id]
			if !ok {
				t.Errorf("%s: the record %s of %s did not come", what, id, kind)
			} else if diff := cmp.Diff(record, came); diff != "" {
				t.Errorf("%s: the record %s of %s differs (-server +webhook):\n%s", what, id, kind, diff)
			}
		}
	}
	for kind, list := range got {
		for id := range list {
			if _, ok := want[kind][id]; !ok {
				t.Errorf("%s: the record %s of %s came and should not", what, id, kind)
			}
		}
	}
	if !t.Failed() {
		t.Logf("%s: %d records compared, all equal: %s", what, want.count(), summary(want))
	}
}

func summary(r records) string {
	counts := map[string]int{}
	for kind, list := range r {
		counts[kind] = len(list)
	}
	return fmt.Sprint(counts)
}
