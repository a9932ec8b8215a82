package store_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// A page ends before the row that would be too much, and its cursor goes on with that row; a row that is larger than a page
// is a page of its own.
func TestListsAreBoundedInBytes(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const env = millrace.EnvironmentID("00000000-0000-4000-8000-00000000b17e")
		sizes := []int{10, 20_000, 10, 10, 150_000, 10, 90_000, 9_000, 30_000}
		for i := range 60 {
			sizes = append(sizes, 500+i)
		}
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			if err := tx.Environments().Create(t.Context(), &millrace.Environment{ID: env, Name: "bytes"}); err != nil {
				return err
			}
			for i, size := range sizes {
				payload := json.RawMessage(fmt.Sprintf(`{"n":"%d","text":%q}`, i, strings.Repeat("x", size)))
				e := &millrace.Event{EnvironmentID: env, Name: "custom:large", Payload: payload, CreatedAt: millrace.Time(1_000_000 + i)}
				if _, err := tx.Events().Create(t.Context(), e); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		const most = 100_000
		for _, desc := range []bool{false, true} {
			q := millrace.Query{Limit: 50, MaxBytes: most, Sort: []millrace.Sort{{Field: "created_at", Desc: desc}}}
			var seen []string
			for pages := 0; ; pages++ {
				var page millrace.Page[millrace.Event]
				err := db.View(t.Context(), func(tx *store.Tx) error {
					var err error
					page, err = tx.Events().List(t.Context(), env, q)
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				size := 0
				for _, e := range page.Result {
					size += len(e.Payload)
					var payload struct{ N string }
					if err := json.Unmarshal(e.Payload, &payload); err != nil {
						t.Fatal(err)
					}
					seen = append(seen, payload.N)
				}
				if len(page.Result) == 0 || len(page.Result) > q.Limit || len(page.Result) > 1 && size > most {
					t.Errorf("a page has %d rows of %d bytes", len(page.Result), size)
				}
				if page.NextCursor == nil {
					break
				}
				if q.Cursor = *page.NextCursor; pages > len(sizes) {
					t.Fatal("the pages do not end")
				}
			}
			var want []string
			for i := range sizes {
				n := i
				if desc {
					n = len(sizes) - 1 - i
				}
				want = append(want, fmt.Sprint(n))
			}
			if strings.Join(seen, " ") != strings.Join(want, " ") {
				t.Errorf("desc %v: got %v", desc, seen)
			}
		}
	})
}
