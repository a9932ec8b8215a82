package schedule_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/schedule"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

const env = millrace.EnvironmentID("00000000-0000-4000-8000-000000000001")

func update(t *testing.T, db *store.DB, fn func(ctx context.Context, tx *store.Tx) error) {
	t.Helper()
	if err := db.Update(t.Context(), func(tx *store.Tx) error { return fn(t.Context(), tx) }); err != nil {
		t.Fatal(err)
	}
}

// failer is what a test and a property have in common.
type failer interface {
	Helper()
	Fatal(args ...any)
}

// clock is a time that tests set.
type clock struct {
	mu   sync.Mutex
	at   time.Time
	step time.Duration // that it goes on whenever it is read
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(c.step)
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// yard is a store with one sync job, several handles of it, and a ticker for each, as several nodes have.
type yard struct {
	clock   *clock
	db      *store.DB
	tickers []*schedule.Ticker
	job     millrace.SyncJobID
}

func newYard(t *testing.T, url string, nodes int) *yard {
	t.Helper()
	y := &yard{clock: &clock{at: time.Date(2026, 11, 23, 5, 59, 59, 0, time.UTC)}}
	for i := range nodes {
		db := y.db
		if i == 0 || store.IsPostgres(url) { // one process owns a SQLite file
			var err error
			db, err = store.Open(t.Context(), store.Config{URL: url, Cipher: storetest.Cipher{}, Clock: y.clock.now})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			db.SetQueue(storetest.NoQueue{})
		}
		y.db = db
		y.tickers = append(y.tickers, schedule.NewTicker(db, slog.New(slog.DiscardHandler)))
	}
	job := &millrace.SyncJob{EnvironmentID: env}
	update(t, y.db, func(ctx context.Context, tx *store.Tx) error { return tx.SyncJobs().Create(ctx, job) })
	y.job = job.ID
	return y
}

func (y *yard) schedule(t *testing.T, c millrace.SyncJobCronTrigger) *millrace.SyncJobCronTrigger {
	t.Helper()
	c.EnvironmentID, c.SyncJobID, c.ID = env, y.job, millrace.NewID[millrace.SyncJobCronTriggerID]()
	if err := schedule.Reschedule(&c, nil, millrace.TimeOf(y.clock.now())); err != nil {
		t.Fatal(err)
	}
	update(t, y.db, func(ctx context.Context, tx *store.Tx) error { return tx.Schedules().Create(ctx, &c) })
	return &c
}

// tick lets all nodes tick at once, more often than there are instants.
func (y *yard) tick(t failer) {
	t.Helper()
	var wg sync.WaitGroup
	errs := make([]error, len(y.tickers))
	for i, ticker := range y.tickers {
		wg.Go(func() {
			for range 2 {
				if _, err := ticker.Tick(context.Background()); err != nil {
					errs[i] = err
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	// A ticker leaves alone what others have locked; what is still due then is fired by the next tick.
	if _, err := y.tickers[0].Tick(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func (y *yard) fires(t failer, c *millrace.SyncJobCronTrigger) []millrace.CronFire {
	t.Helper()
	var page millrace.Page[millrace.CronFire]
	err := y.db.View(context.Background(), func(tx *store.Tx) error {
		var err error
		page, err = tx.Schedules().ListFires(context.Background(), env, c.ID, millrace.Query{Sort: []millrace.Sort{{Field: "due_at"}}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return page.Result
}

// events counts the stored events of a name.
func (y *yard) events(t failer, name string) int {
	t.Helper()
	n := 0
	err := y.db.View(context.Background(), func(tx *store.Tx) error {
		page, err := tx.Events().List(context.Background(), env, millrace.Query{
			Filters: []millrace.Filter{{Field: "event", Op: millrace.OpEq, Values: []string{name}}}, Limit: 500,
		})
		n = len(page.Result)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// runs returns the runs of a schedule, of all schedules when it is nil.
func (y *yard) runs(t failer, c *millrace.SyncJobCronTrigger) map[millrace.SyncJobRunID]millrace.SyncJobRun {
	t.Helper()
	out := map[millrace.SyncJobRunID]millrace.SyncJobRun{}
	err := y.db.View(context.Background(), func(tx *store.Tx) error {
		q := millrace.Query{}
		if c != nil {
			q.Filters = []millrace.Filter{{Field: "sync_job_cron_trigger_id", Op: millrace.OpEq, Values: []string{string(c.ID)}}}
		}
		page, err := tx.SyncJobRuns().List(context.Background(), env, q)
		for _, r := range page.Result {
			out[r.ID] = r
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// move brings a run into a state.
func (y *yard) move(t failer, id millrace.SyncJobRunID, to millrace.RunStatus) {
	t.Helper()
	err := y.db.Update(context.Background(), func(tx *store.Tx) error {
		run, err := tx.SyncJobRuns().Lock(context.Background(), env, id)
		if err != nil {
			return err
		}
		run.Status = to
		return tx.SyncJobRuns().Update(context.Background(), run)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// lines writes fires as lines of time, outcome, how many instants, and the number of the run.
func lines(fires []millrace.CronFire) []string {
	var out []string
	numbers := map[millrace.SyncJobRunID]int{}
	for _, f := range fires {
		if f.SyncJobRunID != "" && numbers[f.SyncJobRunID] == 0 {
			numbers[f.SyncJobRunID] = len(numbers) + 1
		}
		line := f.DueAt.Std().Format("02 15:04 ") + string(f.Outcome)
		if f.Instants > 1 {
			line += fmt.Sprintf(" x%d", f.Instants)
		}
		if n := numbers[f.SyncJobRunID]; n > 0 {
			line += fmt.Sprintf(" run %d", n)
		}
		out = append(out, line)
	}
	return out
}

func TestWhatBecomesOfInstants(t *testing.T) {
	t.Parallel()
	type policy = millrace.SchedulePolicy
	hourly := func(p policy) millrace.SyncJobCronTrigger {
		return millrace.SyncJobCronTrigger{CronExpression: "0 * * * *", SchedulePolicy: p}
	}
	for _, c := range []struct {
		name   string
		policy policy
		ends   bool // the first run ends before the server is down
		want   []string
	}{
		{"one", policy{}, true, []string{"23 06:00 ran run 1", "23 07:00 coalesced run 2", "23 08:00 coalesced run 2", "23 09:00 ran run 2"}},
		{"none", policy{CatchUp: millrace.CatchUpNone}, true, []string{"23 06:00 ran run 1", "23 07:00 missed", "23 08:00 missed", "23 09:00 missed"}},
		{"all", policy{CatchUp: millrace.CatchUpAll, Overlap: millrace.OverlapAllow}, false, []string{"23 06:00 ran run 1", "23 07:00 ran run 2", "23 08:00 ran run 3", "23 09:00 ran run 4"}},
		{"all, but one waits", policy{CatchUp: millrace.CatchUpAll}, false, []string{"23 06:00 ran run 1", "23 07:00 ran run 2", "23 08:00 coalesced run 2", "23 09:00 coalesced run 2"}},
		{"queue", policy{}, false, []string{"23 06:00 ran run 1", "23 07:00 coalesced run 2", "23 08:00 coalesced run 2", "23 09:00 ran run 2"}},
		{"skip", policy{Overlap: millrace.OverlapSkip}, false, []string{"23 06:00 ran run 1", "23 07:00 skipped run 1", "23 08:00 skipped run 1", "23 09:00 skipped run 1"}},
		{"skip, all", policy{Overlap: millrace.OverlapSkip, CatchUp: millrace.CatchUpAll}, true, []string{"23 06:00 ran run 1", "23 07:00 ran run 2", "23 08:00 skipped run 2", "23 09:00 skipped run 2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			storetest.EachURL(t, func(t *testing.T, url string) {
				y := newYard(t, url, 1)
				s := y.schedule(t, hourly(c.policy))
				y.tick(t)
				if got := y.fires(t, s); len(got) > 0 {
					t.Fatalf("fired before it was due: %v", lines(got))
				}
				y.clock.add(time.Second)
				y.tick(t)
				first := y.fires(t, s)[0].SyncJobRunID
				y.move(t, first, millrace.RunRunning)
				if c.ends {
					y.move(t, first, millrace.RunCompleted)
				}
				y.clock.add(3*time.Hour + 20*time.Minute)
				y.tick(t)
				if diff := cmp.Diff(c.want, lines(y.fires(t, s))); diff != "" {
					t.Errorf("fires (-want +got):\n%s", diff)
				}
				if c.name == "queue" {
					for id, run := range y.runs(t, nil) {
						if id != first && run.WaitingFor != first {
							t.Errorf("run %s waits for %q, want the first", id, run.WaitingFor)
						}
					}
				}
			})
		})
	}
}

func TestAMonthOfMinutesIsBounded(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		y := newYard(t, url, 1)
		s := y.schedule(t, millrace.SyncJobCronTrigger{
			CronExpression: "* * * * *", SchedulePolicy: millrace.SchedulePolicy{CatchUp: millrace.CatchUpAll, Overlap: millrace.OverlapAllow},
		})
		few := y.schedule(t, millrace.SyncJobCronTrigger{CronExpression: "*/10 * * * *"})
		y.clock.add(30 * 24 * time.Hour)
		y.tick(t)
		got := y.fires(t, s)
		if len(got) != 101 || len(y.runs(t, nil)) != 101 { // one of them is the other schedule's
			t.Fatalf("got %d rows, %d runs", len(got), len(y.runs(t, nil)))
		}
		f := got[0]
		if f.Outcome != millrace.FireMissed || !strings.Contains(f.Reason, "more than 9") || f.Instants < 9000 || f.LastDueAt.Add(time.Minute) != got[1].DueAt {
			t.Errorf("got %+v before %v", f, got[1].DueAt)
		}
		rows := y.fires(t, few)
		if f := rows[0]; len(rows) != 101 || f.Instants != 30*24*6-100 || strings.Contains(f.Reason, "more than") || f.SyncJobRunID != rows[100].SyncJobRunID {
			t.Errorf("got %d rows, the first %+v", len(rows), f)
		}
	})
}

func TestAScheduleThatFails(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		y := newYard(t, url, 1)
		good := y.schedule(t, millrace.SyncJobCronTrigger{CronExpression: "0 * * * *"})
		gone := y.schedule(t, millrace.SyncJobCronTrigger{CronExpression: "0 * * * *", WebhookID: millrace.NewID[millrace.WebhookID]()})
		taken := y.schedule(t, millrace.SyncJobCronTrigger{CronExpression: "0 * * * *"})
		id := millrace.DeriveID[millrace.SyncJobRunID](string(taken.ID), taken.NextRunAt.String(), string(env))
		update(t, y.db, func(ctx context.Context, tx *store.Tx) error {
			return tx.SyncJobRuns().Create(ctx, &millrace.SyncJobRun{ID: id, EnvironmentID: env, Status: millrace.RunCompleted})
		})
		y.clock.add(time.Minute)
		y.tick(t)
		for s, want := range map[*millrace.SyncJobCronTrigger]millrace.FireOutcome{good: millrace.FireRan, gone: millrace.FireFailed, taken: millrace.FireFailed} {
			if got := y.fires(t, s); len(got) != 1 || got[0].Outcome != want || want == millrace.FireFailed && got[0].Reason == "" {
				t.Errorf("got %+v, want it %s", got, want)
			}
		}
		if got := y.events(t, millrace.EventCronFailed); got != 2 {
			t.Errorf("got %d events about failures, want 2", got)
		}
	})
}

func TestAScheduleWhoseArgumentsAreRejected(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		y := newYard(t, url, 1)
		update(t, y.db, func(ctx context.Context, tx *store.Tx) error {
			job, err := tx.SyncJobs().Get(ctx, env, y.job)
			if err != nil {
				return err
			}
			job.ArgsSchema = []byte(`{"size":{"type":"number","required":true}}`)
			job.ArgsValidation = `args.size > 100 ? {"message": "size must be at most 100"}`
			return tx.SyncJobs().Update(ctx, job)
		})
		for args, want := range map[string]string{
			`{"size":5}`: "", `{"size":101}`: "size must be at most 100", `{"size":"5"}`: `args.size: must be of type number, is "5"`,
			`{}`: "args.size: is required",
		} {
			s := y.schedule(t, millrace.SyncJobCronTrigger{CronExpression: "0 * * * *", Args: []byte(args)})
			y.clock.add(s.NextRunAt.Std().Sub(y.clock.now()))
			y.tick(t)
			got := y.fires(t, s)
			if len(got) != 1 || got[0].Reason != want || (got[0].Outcome == millrace.FireRan) != (want == "") {
				t.Errorf("%s: got %+v, want the reason %q", args, got, want)
			}
		}
	})
}

func TestSpreadKeepsInstants(t *testing.T) {
	t.Parallel()
	y := newYard(t, storetest.SQLite(t), 1)
	offsets := map[time.Duration]bool{}
	for range 20 {
		s := y.schedule(t, millrace.SyncJobCronTrigger{CronExpression: "0 6 * * *", SchedulePolicy: millrace.SchedulePolicy{Spread: 600}})
		if s.DueAt().String() != "2026-11-23T06:00:00.000Z" || s.Offset() >= 10*time.Minute {
			t.Fatalf("due at %s, offset %s", s.DueAt(), s.Offset())
		}
		offsets[s.Offset()] = true
		before := *s
		s.Spread = 0 // while 06:00 is still to come or just being waited for
		if err := schedule.Reschedule(s, &before, s.NextRunAt); err != nil || s.NextRunAt.String() != "2026-11-23T06:00:00.000Z" {
			t.Errorf("next run at %s, %v: the instant was lost", s.NextRunAt, err)
		}
	}
	if len(offsets) < 15 {
		t.Errorf("got %d different offsets of 20", len(offsets))
	}
	y.clock.add(10*time.Minute + time.Second) // it is 05:59:59, and offsets go up to ten minutes
	y.tick(t)
	if got := len(y.runs(t, nil)); got != 20 {
		t.Errorf("got %d runs, want 20", got)
	}
}

// TestEveryInstantHasOneRow lets the clock jump, runs begin and end, and three nodes tick at once, and compares the rows
// with the instants of the expression.
func TestEveryInstantHasOneRow(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		y := newYard(t, url, 3)
		rapid.Check(t, func(rt *rapid.T) {
			from := millrace.TimeOf(y.clock.now())
			s := y.schedule(t, millrace.SyncJobCronTrigger{
				CronExpression: rapid.SampledFrom([]string{"*/5 * * * *", "0 * * * *", "17 2,14 * * *"}).Draw(rt, "expression"),
				Timezone:       rapid.SampledFrom([]string{"", "America/New_York"}).Draw(rt, "timezone"),
				SchedulePolicy: millrace.SchedulePolicy{
					CatchUp: millrace.CatchUp(rapid.SampledFrom(millrace.CatchUps()).Draw(rt, "catch_up")),
					Overlap: millrace.Overlap(rapid.SampledFrom(millrace.Overlaps()).Draw(rt, "overlap")),
					Spread:  rapid.Int64Range(0, 100).Draw(rt, "spread"),
				},
			})
			for range rapid.IntRange(1, 6).Draw(rt, "steps") {
				y.clock.add(rapid.SampledFrom([]time.Duration{time.Second, 5 * time.Minute, time.Hour, 13 * time.Hour}).Draw(rt, "jump"))
				y.tick(t)
				for _, run := range y.runs(t, s) {
					if !run.Status.Finished() && run.WaitingFor == "" {
						if to := rapid.SampledFrom([]millrace.RunStatus{run.Status, millrace.RunRunning, millrace.RunCompleted}).Draw(rt, "status"); to != run.Status {
							y.move(t, run.ID, to)
						}
					}
				}
			}
			y.checkRows(rt, s, from)
			update(t, y.db, func(ctx context.Context, tx *store.Tx) error { return tx.Schedules().Delete(ctx, env, s.ID) })
		})
	})
}

func (y *yard) checkRows(rt *rapid.T, s *millrace.SyncJobCronTrigger, from millrace.Time) {
	cron, err := schedule.ParseCron(s.CronExpression, s.Timezone)
	if err != nil {
		rt.Fatal(err)
	}
	all, ran := y.runs(rt, s), map[millrace.SyncJobRunID]bool{}
	fires := y.fires(rt, s)
	for at := millrace.TimeOf(cron.Next(from.Std())); at.Add(s.Offset()) <= millrace.TimeOf(y.clock.now()); {
		if len(fires) == 0 || fires[0].DueAt != at {
			rt.Fatalf("%s has no row: %v", at, lines(y.fires(rt, s)))
		}
		f := fires[0]
		fires = fires[1:]
		if f.Reason == "" && f.Outcome != millrace.FireRan {
			rt.Fatalf("%s was %s and nothing says why", at, f.Outcome)
		}
		if _, exists := all[f.SyncJobRunID]; exists != (f.Outcome == millrace.FireRan || f.Outcome == millrace.FireCoalesced || f.Outcome == millrace.FireSkipped) {
			rt.Fatalf("%s was %s and names the run %q", at, f.Outcome, f.SyncJobRunID)
		}
		if f.Outcome == millrace.FireRan && ran[f.SyncJobRunID] {
			rt.Fatalf("run %s stands for two instants", f.SyncJobRunID)
		}
		ran[f.SyncJobRunID] = ran[f.SyncJobRunID] || f.Outcome == millrace.FireRan
		for n := int64(0); n < f.Instants; n++ {
			at = millrace.TimeOf(cron.Next(at.Std()))
		}
		if f.LastDueAt >= at {
			rt.Fatalf("%+v reaches further than its instants", f)
		}
	}
	if len(fires) > 0 {
		rt.Fatalf("rows without an instant: %v", lines(fires))
	}
	waiting := 0
	for _, r := range all {
		if !ran[r.ID] {
			rt.Fatalf("run %s belongs to no instant", r.ID)
		}
		if r.WaitingFor != "" {
			waiting++
		}
	}
	if s.Overlap == millrace.OverlapQueue && waiting > 1 {
		rt.Fatalf("%d runs wait", waiting)
	}
}

// TestManyTickersAtOnce lets four nodes fire many schedules at the same moment.
// One environment's thousand schedules must not make another's late that is due at the same time.
func TestEnvironmentsTakeTurns(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		y := newYard(t, url, 1)
		const schedules = 400
		for range schedules {
			y.schedule(t, millrace.SyncJobCronTrigger{CronExpression: "* * * * *"})
		}
		other := &millrace.SyncJob{EnvironmentID: "00000000-0000-4000-8000-000000000002"}
		late := &millrace.SyncJobCronTrigger{CronExpression: "* * * * *"}
		update(t, y.db, func(ctx context.Context, tx *store.Tx) error { return tx.SyncJobs().Create(ctx, other) })
		late.EnvironmentID, late.SyncJobID, late.ID = other.EnvironmentID, other.ID, millrace.NewID[millrace.SyncJobCronTriggerID]()
		if err := schedule.Reschedule(late, nil, millrace.TimeOf(y.clock.now())); err != nil {
			t.Fatal(err)
		}
		update(t, y.db, func(ctx context.Context, tx *store.Tx) error { return tx.Schedules().Create(ctx, late) })
		y.clock.add(time.Minute)
		y.clock.step = time.Microsecond
		if _, err := y.tickers[0].Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		before := 0
		var mine millrace.SyncJobRun
		for _, env := range []millrace.EnvironmentID{other.EnvironmentID, env} {
			err := y.db.View(t.Context(), func(tx *store.Tx) error {
				page, err := tx.SyncJobRuns().List(t.Context(), env, millrace.Query{})
				for _, run := range page.Result {
					if env == other.EnvironmentID {
						mine = run
					} else if run.CreatedAt < mine.CreatedAt {
						before++
					}
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if mine.ID == "" || before > schedules/2 {
			t.Errorf("run %q of the other environment was made after %d of %d", mine.ID, before, schedules)
		}
	})
}

func TestManyTickersAtOnce(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		y := newYard(t, url, 4)
		const schedules = 150
		for range schedules {
			y.schedule(t, millrace.SyncJobCronTrigger{CronExpression: "* * * * *", SchedulePolicy: millrace.SchedulePolicy{Overlap: millrace.OverlapAllow}})
		}
		const minutes = 3
		for range minutes {
			y.clock.add(time.Minute)
			y.tick(t)
		}
		if got := len(y.runs(t, nil)); got != schedules*minutes {
			t.Errorf("got %d runs, want %d", got, schedules*minutes)
		}
	})
}
