package dashboard

import (
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dashboard/picture"
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
	var nodes []struct {
		Name      string          `json:"name"`
		Type      string          `json:"type"`
		Resource  string          `json:"resource"`
		Method    string          `json:"method"`
		DependsOn json.RawMessage `json:"depends_on"`
	}
	if json.Unmarshal(raw, &nodes) != nil || len(nodes) == 0 {
		return ""
	}
	var out []picture.Node
	for _, n := range nodes {
		node := picture.Node{Name: labelled(n.Name, n.Resource), After: names(n.DependsOn)}
		kind := n.Type
		if n.Resource != "" {
			kind = strings.Trim(n.Resource+" "+n.Method, " ")
		}
		node.Note = kind
		for _, s := range last {
			if s.Resource == n.Resource && (n.Method == "" || s.Method == n.Method) && n.Resource != "" {
				node.Note, node.Class = fmt.Sprintf("%d of %d delivered", s.Persisted, s.Fetched), "ok"
				if s.Failed > 0 {
					node.Note, node.Class = fmt.Sprintf("%d failed", s.Failed), "failed"
				}
			}
		}
		out = append(out, node)
	}
	return picture.Graph(out)
}

// names reads a name or a list of them.
func names(raw json.RawMessage) []string {
	var one string
	if json.Unmarshal(raw, &one) == nil && one != "" {
		return []string{one}
	}
	var some []string
	if json.Unmarshal(raw, &some) != nil {
		return nil
	}
	return slices.DeleteFunc(some, func(s string) bool { return s == "" })
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
