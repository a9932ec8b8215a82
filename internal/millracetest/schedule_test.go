package millracetest_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/millracetest"
	"github.com/millrace/millrace/internal/server"
	"github.com/millrace/millrace/internal/store/storetest"
)

// A server that was paused for hours says so in the rows of the instants, and makes up for them with one run.
func TestSchedulesOfAPausedServer(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		var paused atomic.Int64
		s := millracetest.Start(t, url, func(o *server.Options) {
			o.Clock = func() time.Time { return time.Now().Add(time.Duration(paused.Load())) }
		})
		var job, schedule struct {
			ID string `json:"id"`
		}
		if err := s.Post(t.Context(), "/sync-job", map[string]any{"resources": []any{}}, &job); err != nil {
			t.Fatal(err)
		}
		if err := s.Post(t.Context(), "/sync-job-cron-trigger", map[string]any{"sync_job_id": job.ID, "cron_expression": "0 * * * *"}, &schedule); err != nil {
			t.Fatal(err)
		}
		paused.Store(int64(3 * time.Hour))
		var fires []map[string]any
		millracetest.Wait(t, time.Minute, func() (bool, any) {
			var err error
			fires, err = s.List(t.Context(), "/sync-job-cron-trigger/"+schedule.ID+"/fires")
			return err == nil && len(fires) > 0, err
		})
		if len(fires) < 3 {
			t.Fatalf("got %d rows for three hours: %v", len(fires), fires)
		}
		for i, f := range fires {
			want := "coalesced"
			if i == 0 {
				want = "ran"
			}
			if f["outcome"] != want || f["sync_job_run_id"] != fires[0]["sync_job_run_id"] || want == "coalesced" && !strings.Contains(fmt.Sprint(f["reason"]), "no server fired schedules") {
				t.Errorf("row %d is %v, want it %s", i, f, want)
			}
		}
		runs, err := s.List(t.Context(), "/sync-job-run?sync_job_cron_trigger_id="+schedule.ID)
		if err != nil || len(runs) != 1 || runs[0]["id"] != fires[0]["sync_job_run_id"] {
			t.Errorf("got runs %v, %v", runs, err)
		}
	})
}
