package dashboard

import (
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dashboard/picture"
	"github.com/millrace/millrace/internal/dashboard/show"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/views"
)

func (h *Handler) runs(r *request) (*view, error) {
	l, err := listed(h, r, func(ctx context.Context, tx *store.Tx, q millrace.Query) (millrace.Page[millrace.SyncJobRun], error) {
		if r.URL.Query().Get("is_partial") != "" {
			q.Filters = append(q.Filters, millrace.Filter{Field: "is_partial", Op: millrace.OpEq, Values: []string{"true"}})
		}
		return tx.SyncJobRuns().List(ctx, r.env.ID, q)
	}, "status", "sync_job_id", "integrated_account_id", "webhook_id")
	if err != nil {
		return nil, err
	}
	if err := labels(h, r, l, "sync_job", func(v *millrace.SyncJobRun) string { return string(v.SyncJobID) }); err != nil {
		return nil, err
	}
	if err := labels(h, r, l, "integrated_account", func(v *millrace.SyncJobRun) string { return string(v.IntegratedAccountID) }); err != nil {
		return nil, err
	}
	l.Filters = append(choices(r, "status", millrace.RunStatuses()), filter{"partial", r.URL.Path + "?is_partial=true", r.URL.Query().Get("is_partial") != ""})
	return &view{name: "runs", title: "Sync job runs", body: l, live: true}, nil
}

// runPage is one sync job run with everything that led to it and that it led to.
type runPage struct {
	Run       *millrace.SyncJobRun
	Job       *millrace.SyncJob           // nil: it was deleted
	Account   *millrace.IntegratedAccount // nil: there is none, or it was deleted
	Trail     *trail
	Rows      []timeRow
	Stats     []stat
	Log       []millrace.RunLogEntry
	More      bool // the log is longer
	Errors    []millrace.RunLog
	Events    []millrace.Event
	Waiting   *millrace.SyncJobRun // the run that it waits for
	ErrorCode *show.Failure
	First     *show.Failure
}

// Open reports whether the run has not ended.
func (v *runPage) Open() bool { return !v.Run.Status.Finished() }

// trail is what led to a sync job run.
type trail struct {
	Event       *millrace.Event
	Decision    *millrace.Decision
	WorkflowRun *millrace.WorkflowRun
	Workflow    *millrace.Workflow
	Schedule    *millrace.SyncJobCronTrigger
}

// timeRow is a line of the picture of a run.
type timeRow struct {
	Label, Href string
	Note        string
	Picture     template.HTML
	Took        string
}

// stat counts what a method of a resource has fetched.
type stat struct {
	Resource, Method                  string
	Pages, Fetched, Persisted, Failed int64
}

const logShown = 100

func (h *Handler) run(r *request) (*view, error) {
	id := millrace.SyncJobRunID(strings.ToLower(r.PathValue("id")))
	v := new(runPage)
	err := h.DB.View(r.Context(), func(tx *store.Tx) error { return v.read(r, tx, id) })
	if err != nil {
		return nil, err
	}
	return &view{name: "run", title: "Sync job run", body: v, live: v.Open()}, nil
}

// absent returns nothing in place of an error of KindNotFound.
func absent[T any](v *T, err error) (*T, error) {
	if err != nil && millrace.KindOf(err) == millrace.KindNotFound {
		return nil, nil //nolint:nilnil // it is absent
	}
	return v, err
}

func (v *runPage) read(r *request, tx *store.Tx, id millrace.SyncJobRunID) error {
	ctx, env := r.Context(), r.env.ID
	var err error
	if v.Run, err = tx.SyncJobRuns().Get(ctx, env, id); err != nil {
		return err
	}
	if v.Job, err = absent(tx.SyncJobs().Get(ctx, env, v.Run.SyncJobID)); err != nil {
		return err
	}
	if v.Run.IntegratedAccountID != "" {
		if v.Account, err = absent(tx.Accounts().Get(ctx, env, v.Run.IntegratedAccountID)); err != nil {
			return err
		}
	}
	if v.Run.WaitingFor != "" {
		if v.Waiting, err = absent(tx.SyncJobRuns().Get(ctx, env, v.Run.WaitingFor)); err != nil {
			return err
		}
	}
	if v.Trail, err = trailOf(ctx, tx, v.Run); err != nil {
		return err
	}
	log, err := tx.SyncJobRuns().ListLog(ctx, env, millrace.LogQuery{Filters: map[string]string{"sync_job_run_id": string(id)}, Limit: logShown})
	if err != nil {
		return err
	}
	v.Log, v.More = log.Result, log.NextCursor != nil
	slices.SortStableFunc(v.Log, func(a, b millrace.RunLogEntry) int { return int(a.CreatedAt - b.CreatedAt) })
	if v.Events, err = store.ViewsOf(tx).EventsOfRun(ctx, env, id, logShown); err != nil {
		return err
	}
	for i := range v.Log {
		for _, line := range v.Log[i].Lines {
			if line.Level == millrace.LogError {
				v.Errors = append(v.Errors, line)
			}
		}
	}
	v.Stats = statsOf(v.Run.ResourceStats)
	v.ErrorCode, v.First = show.FailureOf(v.Run.Error), show.FailureOf(v.Run.FirstError)
	v.Rows = v.picture(r)
	return nil
}

// trailOf reads what led to a run.
func trailOf(ctx context.Context, tx *store.Tx, run *millrace.SyncJobRun) (*trail, error) {
	t, env := &trail{}, run.EnvironmentID
	var err error
	if run.SyncJobCronTriggerID != "" {
		if t.Schedule, err = absent(tx.Schedules().Get(ctx, env, run.SyncJobCronTriggerID)); err != nil {
			return nil, err
		}
	}
	if run.WorkflowRunID == "" {
		return t, nil
	}
	if t.WorkflowRun, err = absent(tx.WorkflowRuns().Get(ctx, env, run.WorkflowRunID)); err != nil || t.WorkflowRun == nil {
		return t, err
	}
	return t, t.readWorkflow(ctx, tx)
}

// readWorkflow reads what led to the workflow run of a trail.
func (t *trail) readWorkflow(ctx context.Context, tx *store.Tx) error {
	env := t.WorkflowRun.EnvironmentID
	var err error
	if t.Workflow, err = absent(tx.Workflows().Get(ctx, env, t.WorkflowRun.WorkflowID)); err != nil {
		return err
	}
	if t.Event, err = absent(tx.Events().Get(ctx, env, t.WorkflowRun.EventID)); err != nil {
		return err
	}
	decisions, err := tx.Decisions().OfEvent(ctx, env, t.WorkflowRun.EventID)
	for i := range decisions {
		if decisions[i].WorkflowID == t.WorkflowRun.WorkflowID {
			t.Decision = &decisions[i]
		}
	}
	return err
}

// statsOf reads { resource: { method: counts } }.
func statsOf(raw json.RawMessage) []stat {
	var byResource map[string]map[string]struct{ Pages, Fetched, Persisted, Failed int64 }
	if json.Unmarshal(raw, &byResource) != nil {
		return nil
	}
	var out []stat
	for _, resource := range slices.Sorted(maps.Keys(byResource)) {
		for _, method := range slices.Sorted(maps.Keys(byResource[resource])) {
			n := byResource[resource][method]
			out = append(out, stat{resource, method, n.Pages, n.Fetched, n.Persisted, n.Failed})
		}
	}
	return out
}

// timeline is a picture while it is made.
type timeline struct {
	from, to time.Time
	rows     []timeRow
}

func (t *timeline) add(label, href, note string, spans ...picture.Span) {
	row := timeRow{Label: label, Href: href, Note: note, Picture: picture.Bar(spans, t.from, t.to)}
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

// picture draws what happened from the event to the last delivery, in the order in which it began.
func (v *runPage) picture(r *request) []timeRow {
	t := timeline{from: v.Run.CreatedAt.Std(), to: r.now.Std()}
	if v.Run.FinishedAt != 0 {
		t.to = v.Run.FinishedAt.Std()
	}
	if e := v.Trail.Event; e != nil {
		t.from = e.CreatedAt.Std()
	}
	for i := range v.Log {
		for _, a := range v.Log[i].Attempts {
			if end := a.CreatedAt.Std().Add(time.Duration(a.DurationMS) * time.Millisecond); end.After(t.to) {
				t.to = end
			}
		}
	}
	v.Trail.picture(r, &t)
	run := v.Run
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
	for i := range v.Log {
		e := &v.Log[i]
		if e.Status == "" {
			continue
		}
		t.delivery(r, e)
	}
	return t.rows
}

// picture draws what led to a run.
func (tr *trail) picture(r *request, t *timeline) {
	if e := tr.Event; e != nil {
		t.add("event "+e.Name, r.path("events", string(e.ID)), "", span("ok", "stored", e.CreatedAt, e.CreatedAt))
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
		t.add(label, r.path("events", string(d.EventID))+"#decisions", "", span(classOf(string(d.Outcome), false), string(d.Outcome), from, d.CreatedAt))
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
		t.add("workflow run", r.path("workflow-runs", string(w.ID)), note, spans...)
	}
}

// delivery draws a delivery of the run with its attempts.
func (t *timeline) delivery(r *request, e *millrace.RunLogEntry) {
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
		if delivered(&a) {
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
	t.add(label, r.path("deliveries", e.ID), note, spans...)
}

// attemptText says what an attempt came to.
func attemptText(a *millrace.Attempt) string {
	if a.StatusCode != 0 {
		return strconv.FormatInt(a.StatusCode, 10)
	}
	return a.ErrorClass
}

func delivered(a *millrace.Attempt) bool { return a.StatusCode >= 200 && a.StatusCode < 300 }

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

func (h *Handler) workflowRuns(r *request) (*view, error) {
	l, err := listed(h, r, func(ctx context.Context, tx *store.Tx, q millrace.Query) (millrace.Page[millrace.WorkflowRun], error) {
		return tx.WorkflowRuns().List(ctx, r.env.ID, q)
	}, "status", "workflow_id")
	if err != nil {
		return nil, err
	}
	l.Filters = choices(r, "status", millrace.WorkflowRunStatuses())
	err = labels(h, r, l, "workflow", func(v *millrace.WorkflowRun) string { return string(v.WorkflowID) })
	return &view{name: "workflow-runs", title: "Workflow runs", body: l, live: true}, err
}

// workflowRunPage is one workflow run with its steps.
type workflowRunPage struct {
	Trail *trail
	Steps []stepShown
	Rows  []timeRow
	Error *show.Failure
}

// stepShown is a step as it was defined, and what it came to.
type stepShown struct {
	Index  int
	Step   millrace.Step
	Config json.RawMessage
	Result *millrace.StepResult // nil: it has not been reached
	Run    *views.RunLine
}

func (h *Handler) workflowRun(r *request) (*view, error) {
	id := millrace.WorkflowRunID(strings.ToLower(r.PathValue("id")))
	v := new(workflowRunPage)
	err := h.DB.View(r.Context(), func(tx *store.Tx) error {
		run, err := tx.WorkflowRuns().Get(r.Context(), r.env.ID, id)
		if err != nil {
			return err
		}
		v.Trail = &trail{WorkflowRun: run}
		if err := v.Trail.readWorkflow(r.Context(), tx); err != nil {
			return err
		}
		started, err := store.ViewsOf(tx).RunsOfWorkflowRun(r.Context(), r.env.ID, id)
		if err != nil {
			return err
		}
		version, err := absent(tx.Workflows().GetVersion(r.Context(), r.env.ID, run.WorkflowID, run.WorkflowVersion))
		if err != nil {
			return err
		}
		v.Steps, v.Error = stepsOf(run, version, started), show.FailureOf(run.Error)
		v.picture(r, started)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &view{name: "workflow-run", title: "Workflow run", body: v, live: !v.Trail.WorkflowRun.Status.Finished()}, nil
}

// stepsOf puts the steps of a version beside what they came to.
func stepsOf(run *millrace.WorkflowRun, version *millrace.Workflow, started []views.RunLine) []stepShown {
	var result millrace.WorkflowResult
	if len(run.Result) > 0 {
		_ = json.Unmarshal(run.Result, &result) // what is not there is not shown
	}
	var out []stepShown
	if version != nil {
		for i := range version.Config.Steps {
			out = append(out, stepShown{Index: i, Step: version.Config.Steps[i], Config: version.Config.Steps[i].Config})
		}
	}
	for i := range result.Steps {
		for len(out) <= i {
			out = append(out, stepShown{Index: len(out)})
		}
		out[i].Result = &result.Steps[i]
	}
	for i := range started {
		if n := int(started[i].Step); n < len(out) {
			out[n].Run = &started[i]
		}
	}
	return out
}

// picture draws the run and what its steps have started.
func (v *workflowRunPage) picture(r *request, started []views.RunLine) {
	run := v.Trail.WorkflowRun
	t := timeline{from: run.CreatedAt.Std(), to: r.now.Std()}
	if v.Trail.Event != nil {
		t.from = v.Trail.Event.CreatedAt.Std()
	}
	if run.FinishedAt != 0 {
		t.to = run.FinishedAt.Std()
	}
	for i := range started {
		switch {
		case started[i].FinishedAt == 0:
			t.to = r.now.Std()
		case started[i].FinishedAt.Std().After(t.to):
			t.to = started[i].FinishedAt.Std()
		}
	}
	v.Trail.picture(r, &t)
	for i := range started {
		s := &started[i]
		label := fmt.Sprintf("step %d: sync job run", s.Step+1)
		t.add(label, r.path("runs", string(s.ID)), s.WaitReason, span(classOf(string(s.Status), s.IsPartial), string(s.Status), s.CreatedAt, s.FinishedAt))
	}
	v.Rows = t.rows
}
