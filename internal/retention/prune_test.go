package retention

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

func TestPruneYieldsAndGoesOn(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		const inEach = PrunedAtOnce + 1 // more than one look
		err := db.Update(ctx, func(tx *store.Tx) error {
			for _, name := range []string{"first", "second"} {
				e := &millrace.Environment{Name: name}
				if err := tx.Environments().Create(ctx, e); err != nil {
					return err
				}
				for i := range inEach {
					_, err := tx.Events().Create(ctx, &millrace.Event{EnvironmentID: e.ID, Name: "custom:x", CreatedAt: tx.Now().Add(-48*time.Hour + time.Duration(i))})
					if err != nil {
						return err
					}
				}
				fire := &millrace.CronFire{EnvironmentID: e.ID, CronTriggerID: "schedule", DueAt: 1, CreatedAt: 1}
				if _, err := tx.Schedules().CreateFire(ctx, fire); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		var now time.Time
		var log strings.Builder
		clock := func() time.Time { // two looks take longer than a slice
			now = now.Add(pruneSlice / 2)
			return now
		}
		keep := map[millrace.Kept]time.Duration{millrace.KeptEvents: 24 * time.Hour, millrace.KeptFires: 0}
		p := NewPruner(db, keep, clock, slog.New(slog.NewTextHandler(&log, nil)))
		yields := 0
		for {
			err := p.Prune(ctx, millrace.Task{})
			if err == nil {
				break
			}
			if _, ok := errors.AsType[*millrace.RetryError](err); !ok {
				t.Fatal(err)
			}
			yields++
		}
		if yields == 0 {
			t.Error("it never yielded")
		}
		got := storetest.Strings(t, db, "SELECT CAST(COUNT(*) AS TEXT) FROM event UNION ALL SELECT CAST(COUNT(*) AS TEXT) FROM cron_fire")
		if want := []string{"0", "2"}; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("left are %s events and fires, want %s", got, want)
		}
		for kind, want := range map[millrace.Kept]int64{millrace.KeptEvents: 2 * inEach, millrace.KeptFires: 0} {
			err := db.View(ctx, func(tx *store.Tx) error {
				health, err := tx.Rows().Health(ctx)
				if err == nil && (health.Cleanups[kind].Removed != want || health.Cleanups[kind].EndedAt == 0 != (kind == millrace.KeptFires)) {
					t.Errorf("of %s the last removal has removed %+v, want %d", kind, health.Cleanups[kind], want)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if text := log.String(); !strings.Contains(text, "old rows removed") || !strings.Contains(text, "events=") || strings.Contains(text, "fires=") {
			t.Errorf("the log says %s", text)
		}
	})
}
