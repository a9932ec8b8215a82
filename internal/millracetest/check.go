package millracetest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// state is what the database of a load holds when all is done.
type state struct {
	environment millrace.EnvironmentID
	events      map[millrace.EventID]millrace.Event
	runs        map[millrace.WorkflowRunID]millrace.WorkflowRun
	syncs       []millrace.SyncJobRun
	deliveries  []millrace.Delivery
	decisions   map[millrace.EventID][]millrace.Decision
}

// Check asks for everything that was promised: it fails the test for whatever was lost, doubled or out of order. The
// load must have ended and the database be at rest.
func (l *Load) Check(t testing.TB, db *store.DB) {
	t.Helper()
	s, err := readState(t.Context(), db)
	if err != nil {
		t.Fatalf("read the database: %v", err)
	}
	for _, p := range append(l.problems, l.collector.Problems()...) {
		t.Error(p)
	}
	l.checkAccepted(t, s)
	woken := l.checkDecisions(t, s)
	l.checkRuns(t, s, woken)
	l.checkRecords(t, s)
	l.checkAudit(t, s)
	accounts, events := l.Accepted()
	total, repeated := l.collector.Total()
	t.Logf("checked: %d accounts and %d custom events accepted (%d requests sent again), %d events stored, %d workflow runs, "+
		"%d sync job runs, %d deliveries, %d of them repetitions with the same id and the same bytes",
		len(accounts), len(events), l.repeats, len(s.events), len(s.runs), len(s.syncs), total, repeated)
}

func readState(ctx context.Context, db *store.DB) (*state, error) {
	s := &state{
		events: map[millrace.EventID]millrace.Event{}, runs: map[millrace.WorkflowRunID]millrace.WorkflowRun{},
		decisions: map[millrace.EventID][]millrace.Decision{},
	}
	return s, db.View(ctx, func(tx *store.Tx) error {
		environments, err := tx.Environments().All(ctx)
		if err != nil {
			return err
		}
		s.environment = environments[0].ID
		events, err := all(ctx, tx.Events().List, s.environment)
		if err != nil {
			return err
		}
		for _, e := range events {
			s.events[e.ID] = e
			if s.decisions[e.ID], err = tx.Decisions().OfEvent(ctx, s.environment, e.ID); err != nil {
				return err
			}
		}
		runs, err := all(ctx, tx.WorkflowRuns().List, s.environment)
		if err != nil {
			return err
		}
		for _, r := range runs {
			s.runs[r.ID] = r
		}
		if s.syncs, err = all(ctx, tx.SyncJobRuns().List, s.environment); err != nil {
			return err
		}
		s.deliveries, err = all(ctx, tx.Deliveries().List, s.environment)
		return err
	})
}

type lister[T any] func(context.Context, millrace.EnvironmentID, millrace.Query) (millrace.Page[T], error)

func all[T any](ctx context.Context, list lister[T], env millrace.EnvironmentID) ([]T, error) {
	var out []T
	q := millrace.Query{}
	for {
		page, err := list(ctx, env, q)
		if err != nil {
			return nil, err
		}
		out = append(out, page.Result...)
		if page.NextCursor == nil {
			return out, nil
		}
		q.Cursor = *page.NextCursor
	}
}

// accountOf returns the account that an event of an account is about.
func accountOf(e *millrace.Event) string {
	var payload struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal(e.Payload, &payload) // stays empty, and then belongs to no account
	return payload.ID
}

// checkAccepted checks that nothing that was accepted is missing or doubled.
func (l *Load) checkAccepted(t testing.TB, s *state) {
	t.Helper()
	byAccount, byKey := map[string]map[string]int{}, map[string]int{}
	for _, e := range s.events {
		switch e.Name {
		case millrace.EventAccountCreated, millrace.EventAccountActive:
			id := accountOf(&e)
			if byAccount[id] == nil {
				byAccount[id] = map[string]int{}
			}
			byAccount[id][e.Name]++
		case customEvent:
			byKey[e.IdempotencyKey]++
		}
	}
	accounts, events := l.Accepted()
	for id := range accounts {
		if byAccount[id] == nil {
			t.Errorf("the account %s was accepted and has no events", id)
		}
	}
	for id, names := range byAccount {
		if names[millrace.EventAccountCreated] != 1 || names[millrace.EventAccountActive] != 1 {
			t.Errorf("the account %s has the events %v, want one of each kind", id, names)
		}
	}
	for n, id := range events {
		if e, ok := s.events[millrace.EventID(id)]; !ok || e.IdempotencyKey != fmt.Sprintf("ping-%d", n) {
			t.Errorf("the event ping-%d was accepted as %s and is not there", n, id)
		}
	}
	for key, times := range byKey {
		if times != 1 {
			t.Errorf("the event %s is there %d times", key, times)
		}
	}
}

// checkDecisions checks that every event was decided once, and rightly, and returns the workflow runs that must exist.
func (l *Load) checkDecisions(t testing.TB, s *state) map[millrace.WorkflowRunID]bool {
	t.Helper()
	woken := map[millrace.WorkflowRunID]bool{}
	for id, e := range s.events {
		want, workflow := millrace.OutcomeMatched, accountWorkflow
		switch e.Name {
		case millrace.EventAccountActive:
		case customEvent:
			workflow = eventWorkflow
			n := 0
			if _, err := fmt.Sscanf(e.IdempotencyKey, "ping-%d", &n); err != nil || n%runEvery != 0 {
				want = millrace.OutcomeNotMatched
			}
		default:
			if len(s.decisions[id]) != 0 {
				t.Errorf("the event %s %s has decisions: %+v", e.Name, id, s.decisions[id])
			}
			continue
		}
		decided := s.decisions[id]
		if len(decided) != 1 || decided[0].Outcome != want || decided[0].WorkflowID != workflow {
			t.Errorf("the event %s %s has the decisions %+v, want one: %s by %s", e.Name, id, decided, want, workflow)
			continue
		}
		if want == millrace.OutcomeMatched {
			woken[decided[0].WorkflowRunID] = true
		}
	}
	return woken
}

// checkRuns checks that every match has one workflow run and one sync job run, that all of them have completed, and
// that there are no others.
func (l *Load) checkRuns(t testing.TB, s *state, woken map[millrace.WorkflowRunID]bool) {
	t.Helper()
	for id := range woken {
		if r, ok := s.runs[id]; !ok || r.Status != millrace.WorkflowRunCompleted {
			t.Errorf("the workflow run %s of a match is %q: %s", id, r.Status, r.Error)
		}
	}
	syncs := map[millrace.WorkflowRunID]int{}
	for _, r := range s.syncs {
		syncs[r.WorkflowRunID]++
		if r.Status != millrace.RunCompleted {
			t.Errorf("the sync job run %s is %s: %s", r.ID, r.Status, r.Error)
		}
	}
	for id := range s.runs {
		if !woken[id] {
			t.Errorf("no decision is behind the workflow run %s", id)
		}
		if syncs[id] != 1 {
			t.Errorf("the workflow run %s has %d sync job runs, want 1", id, syncs[id])
		}
	}
	if len(syncs) != len(s.runs) {
		t.Errorf("there are sync job runs of %d workflow runs, want %d", len(syncs), len(s.runs))
	}
}

// recordPayload is what the deliveries of a run have in common: id is the run's in all but those with records.
type recordPayload struct {
	ID   millrace.SyncJobRunID `json:"id"`
	Meta struct {
		Run      millrace.SyncJobRunID `json:"sync_job_run_id"`
		Account  string                `json:"integrated_account_id"`
		Sequence int64                 `json:"sequence"`
	} `json:"meta"`
	Records []struct {
		N   int    `json:"n"`
		Key string `json:"key"`
	} `json:"records"`
}

// checkRecords checks that every run has delivered started, all its records and completed, in this order, each once if
// repetitions are left out.
func (l *Load) checkRecords(t testing.TB, s *state) {
	t.Helper()
	accounts, _ := l.Accepted()
	byRun := map[millrace.SyncJobRunID][]Received{}
	for _, r := range l.collector.First(recordsHook) {
		p := payloadOf(t, r)
		id := p.ID
		if r.Event == millrace.EventRunRecord {
			id = p.Meta.Run
		}
		byRun[id] = append(byRun[id], r)
	}
	for _, run := range s.syncs {
		received := byRun[run.ID]
		delete(byRun, run.ID)
		received = slices.DeleteFunc(received, func(r Received) bool { return r.Event == millrace.EventRunRateLimited })
		n, last, key := 0, int64(0), accountKey(accounts[string(run.IntegratedAccountID)])
		for i, r := range received {
			want := millrace.EventRunRecord
			switch i {
			case 0:
				want = millrace.EventRunStarted
			case len(received) - 1:
				want = millrace.EventRunCompleted
			}
			if r.Event != want {
				t.Errorf("run %s: delivery %d is %s, want %s", run.ID, i, r.Event, want)
			}
			if r.Event != millrace.EventRunRecord {
				continue
			}
			p := payloadOf(t, r)
			if p.Meta.Sequence <= last {
				t.Errorf("run %s: sequence %d comes after %d", run.ID, p.Meta.Sequence, last)
			}
			last = p.Meta.Sequence
			for _, record := range p.Records {
				if _, known := accounts[string(run.IntegratedAccountID)]; record.N != n || known && record.Key != key {
					t.Errorf("run %s: got record %d of %s, want %d of %s", run.ID, record.N, record.Key, n, key)
				}
				n = record.N + 1
			}
		}
		if n != perRun {
			t.Errorf("run %s has delivered %d records in %d deliveries, want %d", run.ID, n, len(received), perRun)
		}
	}
	for id, received := range byRun {
		t.Errorf("%d deliveries of a run %s that does not exist", len(received), id)
	}
}

func payloadOf(t testing.TB, r Received) recordPayload {
	t.Helper()
	var p recordPayload
	if err := json.Unmarshal(r.Envelope.Payload, &p); err != nil {
		t.Errorf("the payload of %s: %v", r.ID, err)
	}
	return p
}

// checkAudit checks that the subscribed webhook got every event once, if repetitions are left out, in the order of the
// sequence numbers, which are those of the commits.
func (l *Load) checkAudit(t testing.TB, s *state) {
	t.Helper()
	got := l.collector.First(auditHook)
	subscribed := 0
	for _, e := range s.events {
		if e.Name == millrace.EventAccountCreated || e.Name == millrace.EventAccountActive || e.Name == customEvent {
			subscribed++
		}
	}
	want := slices.DeleteFunc(slices.Clone(s.deliveries), func(d millrace.Delivery) bool { return d.Sequence == 0 })
	slices.SortFunc(want, func(a, b millrace.Delivery) int { return int(a.Sequence - b.Sequence) })
	if len(want) != subscribed || len(got) != subscribed {
		t.Errorf("the subscribed webhook got %d deliveries of %d that are stored, want %d", len(got), len(want), subscribed)
	}
	for i := range min(len(want), len(got)) {
		if string(want[i].ID) != got[i].ID {
			t.Errorf("delivery %d to the subscribed webhook is %s, want %s", i, got[i].ID, want[i].ID)
			return
		}
	}
	for i, d := range want {
		if d.Sequence != int64(i)+1 || d.Status != millrace.DeliveryDelivered {
			t.Errorf("delivery %d has the sequence number %d and is %s", i, d.Sequence, d.Status)
			return
		}
	}
	for _, d := range s.deliveries {
		if d.Status != millrace.DeliveryDelivered {
			t.Errorf("the delivery %s of %s is %s", d.ID, d.Event, d.Status)
		}
	}
}
