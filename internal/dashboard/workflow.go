package dashboard

import (
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dashboard/calendar"
	"github.com/millrace/millrace/internal/dashboard/editor"
	"github.com/millrace/millrace/internal/store"
)

func (h *Handler) workflows(r *request) (*view, error) {
	l, err := listed(h, r, func(ctx context.Context, tx *store.Tx, q millrace.Query) (millrace.Page[millrace.Workflow], error) {
		return tx.Workflows().List(ctx, r.env.ID, q)
	}, "trigger_name")
	return &view{name: "workflows", title: "Workflows", body: l}, err
}

// workflowPage is one workflow with its last runs.
type workflowPage struct {
	Workflow *millrace.Workflow
	Config   json.RawMessage
	Runs     []millrace.WorkflowRun
}

const runsShown = 25

func (h *Handler) workflow(r *request) (*view, error) {
	id := millrace.WorkflowID(strings.ToLower(r.PathValue("id")))
	v := new(workflowPage)
	err := h.DB.View(r.Context(), func(tx *store.Tx) error {
		ctx, env := r.Context(), r.env.ID
		var err error
		if v.Workflow, err = tx.Workflows().Get(ctx, env, id); err != nil {
			return err
		}
		if v.Config, err = json.Marshal(v.Workflow.Config); err != nil {
			return err
		}
		runs, err := tx.WorkflowRuns().List(ctx, env, millrace.Query{
			Limit: runsShown, MaxBytes: millrace.MaxPageBytes, Filters: []millrace.Filter{{Field: "workflow_id", Op: millrace.OpEq, Values: []string{string(id)}}},
		})
		v.Runs = runs.Result
		return err
	})
	if err != nil {
		return nil, err
	}
	return &view{name: "workflow", title: labelled(v.Workflow.Label, "Workflow"), body: v, live: true}, nil
}

// labelled is a label, or what stands in its place.
func labelled(label, otherwise string) string {
	if label == "" {
		return otherwise
	}
	return label
}

func (h *Handler) syncJobs(r *request) (*view, error) {
	l, err := listed(h, r, func(ctx context.Context, tx *store.Tx, q millrace.Query) (millrace.Page[millrace.SyncJob], error) {
		return tx.SyncJobs().List(ctx, r.env.ID, q)
	}, "integration_name")
	return &view{name: "sync-jobs", title: "Sync jobs", body: l}, err
}

// syncJobPage is one sync job with its graph and its last runs.
type syncJobPage struct {
	Job   *millrace.SyncJob
	Graph template.HTML
	Runs  []millrace.SyncJobRun
}

func (h *Handler) syncJob(r *request) (*view, error) {
	id := millrace.SyncJobID(strings.ToLower(r.PathValue("id")))
	v := new(syncJobPage)
	err := h.DB.View(r.Context(), func(tx *store.Tx) error {
		ctx, env := r.Context(), r.env.ID
		var err error
		if v.Job, err = tx.SyncJobs().Get(ctx, env, id); err != nil {
			return err
		}
		runs, err := tx.SyncJobRuns().List(ctx, env, millrace.Query{
			Limit: runsShown, MaxBytes: millrace.MaxPageBytes, Filters: []millrace.Filter{{Field: "sync_job_id", Op: millrace.OpEq, Values: []string{string(id)}}},
		})
		v.Runs = runs.Result
		return err
	})
	if err != nil {
		return nil, err
	}
	var last []stat
	if len(v.Runs) > 0 {
		last = statsOf(v.Runs[0].ResourceStats)
	}
	v.Graph = graphOf(v.Job.Resources, last)
	return &view{name: "sync-job", title: labelled(v.Job.Label, "Sync job"), body: v, live: true}, nil
}

// graphOf draws the nodes of a sync job, with what the last run came to.
func graphOf(raw json.RawMessage, last []stat) template.HTML {
	return editor.Graph(raw, func(resource, method string) (string, string) {
		text, class := "", ""
		for _, s := range last {
			if s.Resource == resource && (method == "" || s.Method == method) {
				text, class = fmt.Sprintf("%d of %d delivered", s.Persisted, s.Fetched), "ok"
				if s.Failed > 0 {
					text, class = fmt.Sprintf("%d failed", s.Failed), "failed"
				}
			}
		}
		return text, class
	})
}

func (h *Handler) schedules(r *request) (*view, error) {
	l, err := listed(h, r, func(ctx context.Context, tx *store.Tx, q millrace.Query) (millrace.Page[millrace.SyncJobCronTrigger], error) {
		return tx.Schedules().List(ctx, r.env.ID, q)
	}, "sync_job_id", "integrated_account_id", "workflow_id")
	if err != nil {
		return nil, err
	}
	if err := labels(h, r, l, "sync_job", func(v *millrace.SyncJobCronTrigger) string { return string(v.SyncJobID) }); err != nil {
		return nil, err
	}
	err = labels(h, r, l, "integrated_account", func(v *millrace.SyncJobCronTrigger) string { return string(v.IntegratedAccountID) })
	return &view{name: "schedules", title: "Schedules", body: l, live: true}, err
}

func (h *Handler) calendar(r *request) (*view, error) {
	hours := 1
	if r.URL.Query().Get("hours") == "24" {
		hours = 24
	}
	page, err := calendar.Read(r.Context(), h.DB, r.env.ID, r.now.Std(), hours)
	return &view{name: "calendar", title: "Calendar of schedules", body: page}, err
}

// schedulePage is one schedule with the outcomes of its times.
type schedulePage struct {
	Schedule *millrace.SyncJobCronTrigger
	Job      *millrace.SyncJob
	Fires    []millrace.CronFire
}

func (h *Handler) schedule(r *request) (*view, error) {
	id := millrace.SyncJobCronTriggerID(strings.ToLower(r.PathValue("id")))
	v := new(schedulePage)
	err := h.DB.View(r.Context(), func(tx *store.Tx) error {
		ctx, env := r.Context(), r.env.ID
		var err error
		if v.Schedule, err = tx.Schedules().Get(ctx, env, id); err != nil {
			return err
		}
		if v.Job, err = absent(tx.SyncJobs().Get(ctx, env, v.Schedule.SyncJobID)); err != nil {
			return err
		}
		fires, err := tx.Schedules().ListFires(ctx, env, id, millrace.Query{Limit: perPage})
		v.Fires = fires.Result
		return err
	})
	return &view{name: "schedule", title: "Schedule", body: v, live: true}, err
}
