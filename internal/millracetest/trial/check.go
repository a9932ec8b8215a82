package trial

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/millracetest"
)

// Check says what is wrong with the outcome of the trial, or "" when everything that was promised has happened: every
// record was delivered, in order, without gaps in the sequence and nothing else; repetitions have the same id and
// follow at once; the run's row is right. That repetitions have the same bytes is checked by the collector.
func (t *Trial) Check(ctx context.Context, c *millracetest.Client, collector *millracetest.Collector) string {
	got, wrong := t.received(collector)
	var row struct {
		Status millrace.RunStatus           `json:"status"`
		Stats  map[string]map[string]counts `json:"resource_stats"`
		Error  *struct {
			Code string `json:"code"`
		} `json:"error"`
	}
	if err := c.Get(ctx, "/sync-job-run/"+string(t.RunID()), &row); err != nil {
		return err.Error()
	}
	want := t.expect(row.Stats)
	if diff := cmp.Diff(want.sent, got); diff != "" {
		wrong = append(wrong, "deliveries (-want +got):\n"+diff)
	}
	if row.Status != want.status {
		wrong = append(wrong, fmt.Sprintf("status: got %s, want %s", row.Status, want.status))
	}
	switch {
	case row.Error == nil && want.code != "":
		wrong = append(wrong, "error: got none, want "+want.code)
	case row.Error != nil && want.code != row.Error.Code && (want.code != "" || row.Status != want.status):
		wrong = append(wrong, fmt.Sprintf("error: got %q, want %q", row.Error.Code, want.code))
	}
	wantStats, gotStats := map[string]counts{}, map[string]counts{}
	for name, n := range want.stats {
		wantStats[name] = *n
	}
	for name, methods := range row.Stats {
		gotStats[name] = methods["list"]
	}
	if diff := cmp.Diff(wantStats, gotStats); diff != "" {
		wrong = append(wrong, "resource_stats (-want +got):\n"+diff)
	}
	if len(wrong) == 0 {
		return ""
	}
	return fmt.Sprintf("MILLRACE_SEED=%d, error_handling %s\n%s\n%s", t.Seed, t.Handling, strings.Join(wrong, "\n"), t.story())
}

// Ended reports whether the trial's own webhook has seen the end of the run.
func (t *Trial) Ended(collector *millracetest.Collector) bool {
	_, ended := collector.Runs(t.hooks()[0])
	return ended > 0
}

// expect runs the model. How soon a list in circles is noticed is not promised, only that it is, after all of its pages:
// the count of pages says when.
func (t *Trial) expect(stats map[string]map[string]counts) *model {
	m := newModel(t)
	for name, res := range t.Provider.Resources {
		for key := range res.LoopTo {
			m.most = max(stats[name]["list"].Pages, len(res.Lists[key]))
			if m.most > 4*len(res.Lists[key])+4 {
				m.most = 0 // it was not noticed
			}
		}
	}
	m.run()
	return m
}

// received returns what the run's webhooks got, without repetitions and without what depends on the time, and what is
// wrong with ids and the sequence.
func (t *Trial) received(collector *millracetest.Collector) ([]sent, []string) {
	var got []sent
	var wrong []string
	sequence, last := 0, ""
	for _, r := range collector.Received(t.hooks()...) {
		if r.Repeated {
			if r.ID != last {
				wrong = append(wrong, fmt.Sprintf("the delivery %s came again behind %s", r.ID, last))
			}
			continue
		}
		sequence, last = sequence+1, r.ID
		if id := string(millrace.RunDeliveryID(millrace.FirstEnvironmentID(), t.RunID(), int64(sequence))); r.ID != id || r.Envelope.ID != id {
			wrong = append(wrong, fmt.Sprintf("delivery %d (%s) has the id %s, want %s", sequence, r.Event, r.ID, id))
		}
		s, at, err := t.read(&r)
		if err != nil {
			wrong = append(wrong, err.Error())
		}
		if at != 0 && at != sequence {
			wrong = append(wrong, fmt.Sprintf("delivery %d says that it is number %d", sequence, at))
		}
		if s.Event != millrace.EventRunRateLimited {
			got = append(got, s)
		}
	}
	return got, wrong
}

// read reads a delivery and the sequence number in it.
func (t *Trial) read(r *millracetest.Received) (sent, int, error) {
	s := sent{Event: r.Event, Other: r.Webhook == t.hooks()[1]}
	var p struct {
		Resource string              `json:"resource"`
		Records  []any               `json:"records"`
		Error    *millrace.RunError  `json:"error"`
		Errors   []millrace.RunError `json:"errors"`
		Meta     struct {
			Node     string                `json:"node"`
			Run      millrace.SyncJobRunID `json:"sync_job_run_id"`
			Sequence int                   `json:"sequence"`
		} `json:"meta"`
	}
	if err := json.Unmarshal(r.Envelope.Payload, &p); err != nil {
		return s, 0, fmt.Errorf("the payload of %s: %w", r.ID, err)
	}
	switch r.Event {
	case millrace.EventRunRecord:
		s.Resource, s.Node, s.Records = p.Resource, p.Meta.Node, p.Records
		if p.Meta.Run != t.RunID() {
			return s, 0, fmt.Errorf("records of the run %s", p.Meta.Run)
		}
	case millrace.EventRunRecordError:
		s.Resource = p.Resource
		if p.Error != nil {
			p.Errors = slices.Insert(p.Errors, 0, *p.Error)
		}
		for _, e := range p.Errors {
			s.Codes = append(s.Codes, e.Code)
		}
	}
	return s, p.Meta.Sequence, nil
}

// story describes what a trial is made of, to find out what went wrong.
func (t *Trial) story() string {
	job, _ := json.MarshalIndent(t.job(), "", " ")
	var out strings.Builder
	fmt.Fprintf(&out, "job %s", job)
	for name, res := range t.Provider.Resources {
		fmt.Fprintf(&out, "\n%s: %q, page size %d, loops to %v", name, res.Pagination, res.PageSize, res.LoopTo)
		for _, f := range res.Faults {
			fmt.Fprintf(&out, "\n  fault %+v", *f)
		}
		for key, pages := range res.Lists {
			sizes := make([]int, len(pages))
			for i, p := range pages {
				sizes[i] = len(p)
			}
			fmt.Fprintf(&out, "\n  list %s: pages of %v", key, sizes)
		}
	}
	fmt.Fprintf(&out, "\nthe key expires after %d pages; rate limits described: %t", t.Provider.ExpireAfter, t.limits)
	return out.String()
}
