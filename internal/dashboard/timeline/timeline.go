// Package timeline draws what led to a run and what it led to, from the event to the last delivery.
package timeline

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dashboard/picture"
	"github.com/millrace/millrace/internal/dashboard/show"
	"github.com/millrace/millrace/internal/store/views"
)

// Row is a line of the picture of a run.
type Row struct {
	Label, Href string
	Note        string
	Picture     template.HTML
	Took        string
}

// Trail is what led to a run; nil: there was none, or it was deleted.
type Trail struct {
	Event       *millrace.Event
	Decision    *millrace.Decision
	WorkflowRun *millrace.WorkflowRun
	Workflow    *millrace.Workflow
	Schedule    *millrace.SyncJobCronTrigger
}

// Page returns the address of the page of something.
type Page func(parts ...string) string

// timeline is a picture while it is made.
type timeline struct {
	page     Page
	from, to time.Time
	rows     []Row
}

func (t *timeline) add(label, href, note string, spans ...picture.Span) {
	row := Row{Label: label, Href: href, Note: note, Picture: picture.Bar(spans, t.from, t.to)}
	if len(spans) > 0 {
		end := spans[len(spans)-1].To
		if end.IsZero() {
			end = t.to
		}
		row.Took = show.Took(end.Sub(spans[0].From).Milliseconds())
	}
	t.rows = append(t.rows, row)
}

// span returns what was under way between two times; to zero: it still is.
func span(class, title string, from, to millrace.Time) picture.Span {
	s := picture.Span{From: from.Std(), Class: class, Title: title}
	if to != 0 {
		s.To = to.Std()
		s.Title += ", " + show.Took(s.To.Sub(s.From).Milliseconds())
	}
	return s
}

// OfRun draws what happened from the event to the last delivery of a sync job run, in the order in which it began.
func OfRun(page Page, now millrace.Time, trail *Trail, run *millrace.SyncJobRun, log []millrace.RunLogEntry) []Row {
	t := timeline{page: page, from: run.CreatedAt.Std(), to: now.Std()}
	if run.FinishedAt != 0 {
		t.to = run.FinishedAt.Std()
	}
	if e := trail.Event; e != nil {
		t.from = e.CreatedAt.Std()
	}
	for i := range log {
		for _, a := range log[i].Attempts {
			if end := a.CreatedAt.Std().Add(time.Duration(a.DurationMS) * time.Millisecond); end.After(t.to) {
				t.to = end
			}
		}
	}
	t.trail(trail)
	begun := run.StartedAt
	if begun == 0 {
		begun = run.FinishedAt
	}
	spans := []picture.Span{span("wait", "waited to begin", run.CreatedAt, begun)}
	if run.StartedAt != 0 {
		class := classOf(string(run.Status), run.IsPartial)
		spans = append(spans, span(class, string(run.Status), run.StartedAt, run.FinishedAt))
	}
	t.add("sync job run", "", waitText(run), spans...)
	for i := range log {
		e := &log[i]
		if e.Status == "" {
			continue
		}
		t.delivery(e)
	}
	return t.rows
}

// trail draws what led to a run.
func (t *timeline) trail(tr *Trail) {
	if e := tr.Event; e != nil {
		t.add("event "+e.Name, t.page("events", string(e.ID)), "", span("ok", "stored", e.CreatedAt, e.CreatedAt))
	}
	if d := tr.Decision; d != nil {
		from := d.CreatedAt
		if tr.Event != nil {
			from = tr.Event.CreatedAt
		}
		label := "decision " + strings.ReplaceAll(string(d.Outcome), "_", " ")
		if tr.Workflow != nil && tr.Workflow.Config.RunIf != "" {
			label += ": " + millrace.Shorten(tr.Workflow.Config.RunIf)
		}
		t.add(label, t.page("events", string(d.EventID))+"#decisions", "", span(classOf(string(d.Outcome), false), string(d.Outcome), from, d.CreatedAt))
	}
	if w := tr.WorkflowRun; w != nil {
		begun := w.StartedAt
		if begun == 0 {
			begun = w.FinishedAt
		}
		spans := []picture.Span{span("wait", "waited to begin", w.CreatedAt, begun)}
		if w.StartedAt != 0 {
			spans = append(spans, span(classOf(string(w.Status), false), string(w.Status), w.StartedAt, w.FinishedAt))
		}
		note := ""
		if w.Waiting != "" {
			note = "waits: " + string(w.Waiting)
		}
		t.add("workflow run", t.page("workflow-runs", string(w.ID)), note, spans...)
	}
}

// delivery draws a delivery of the run with its attempts.
func (t *timeline) delivery(e *millrace.RunLogEntry) {
	label := strings.TrimPrefix(e.Event, "sync_job_run:")
	if e.Resource != "" {
		label += " " + e.Resource
	}
	if e.Records > 0 {
		label += fmt.Sprintf(", %d records", e.Records)
	}
	var spans []picture.Span
	at := e.CreatedAt
	for _, a := range e.Attempts {
		end := a.CreatedAt.Add(time.Duration(a.DurationMS) * time.Millisecond)
		if a.CreatedAt > at {
			spans = append(spans, span("wait", "waited", at, a.CreatedAt))
		}
		class, title := "failed", fmt.Sprintf("attempt %d: %s", a.Number, attemptText(&a))
		if Delivered(&a) {
			class = "ok"
		}
		spans = append(spans, span(class, title, a.CreatedAt, end))
		at = end
	}
	if e.Status == millrace.DeliveryPending {
		spans = append(spans, span("wait", "pending", at, 0))
	}
	note := ""
	if len(e.Attempts) > 1 {
		note = fmt.Sprintf("%d attempts", len(e.Attempts))
	}
	t.add(label, t.page("deliveries", e.ID), note, spans...)
}

// attemptText says what an attempt came to.
func attemptText(a *millrace.Attempt) string {
	if a.StatusCode != 0 {
		return strconv.FormatInt(a.StatusCode, 10)
	}
	return a.ErrorClass
}

// Delivered reports whether the receiver took a delivery.
func Delivered(a *millrace.Attempt) bool { return a.StatusCode >= 200 && a.StatusCode < 300 }

// classOf is the colour of a status.
func classOf(status string, partial bool) string {
	switch {
	case partial:
		return "partial"
	case status == "failed" || status == "error" || status == "limit":
		return "failed"
	case status == "running" || status == "created":
		return "work"
	case status == "rate_limited":
		return "wait"
	case status == "stopped" || status == "cancelled" || status == "not_matched" || status == "paused":
		return "off"
	}
	return "ok"
}

// waitText says why a run does not go on.
func waitText(run *millrace.SyncJobRun) string {
	switch {
	case run.Status.Finished():
		return ""
	case run.WaitReason != "":
		return run.WaitReason
	case run.WaitingFor != "":
		return "waits for another run with the same mutex_key"
	case run.ParkedSince != 0:
		return "waits for its webhook to respond"
	}
	return ""
}

// OfWorkflowRun draws the workflow run of a trail and what its steps have started.
func OfWorkflowRun(page Page, now millrace.Time, trail *Trail, started []views.RunLine) []Row {
	run := trail.WorkflowRun
	t := timeline{page: page, from: run.CreatedAt.Std(), to: now.Std()}
	if trail.Event != nil {
		t.from = trail.Event.CreatedAt.Std()
	}
	if run.FinishedAt != 0 {
		t.to = run.FinishedAt.Std()
	}
	for i := range started {
		switch {
		case started[i].FinishedAt == 0:
			t.to = now.Std()
		case started[i].FinishedAt.Std().After(t.to):
			t.to = started[i].FinishedAt.Std()
		}
	}
	t.trail(trail)
	for i := range started {
		s := &started[i]
		label := fmt.Sprintf("step %d: sync job run", s.Step+1)
		t.add(label, t.page("runs", string(s.ID)), s.WaitReason, span(classOf(string(s.Status), s.IsPartial), string(s.Status), s.CreatedAt, s.FinishedAt))
	}
	return t.rows
}
