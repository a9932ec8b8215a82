package editor

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/document"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/store"
)

const workflowStarter = `label: When an account is connected
trigger_name: integrated_account:active
config:
  run_if: integration.name = 'INTEGRATION'
  steps:
    - type: run
      action: run_sync_job
      config:
        sync_job_id: "JOB"
        integrated_account_id: "{{integrated_account_id}}"
        webhook_id: "HOOK"
`

func newWorkflows() *kind {
	show := func(v *millrace.Workflow, err error) (*stored, error) {
		if err != nil {
			return nil, err
		}
		return &stored{v.Label, rest.BaseOf(v), func(form string) (string, error) { return textOfWorkflow(v, form) }}, nil
	}
	return &kind{
		name: "workflow", list: "workflows", path: "/workflow", starter: workflowStarter, more: tryDraft,
		read: func(ctx context.Context, r *Request, tx *store.Tx, id string) (*stored, error) {
			return show(tx.Workflows().Get(ctx, r.Env, millrace.WorkflowID(id)))
		},
		version: func(ctx context.Context, r *Request, tx *store.Tx, id string, version int64) (*stored, error) {
			return show(tx.Workflows().GetVersion(ctx, r.Env, millrace.WorkflowID(id), version))
		},
	}
}

// tryDraft tries the condition of a text for the last events of its trigger.
func tryDraft(r *Request, p *EditPage, do string) error {
	if p.Tries = r.Sees; do != "try" {
		return nil
	}
	if !r.Sees {
		return millrace.Errorf(millrace.KindForbidden, "your user may not see payloads, and so cannot try conditions")
	}
	root := parse(p.Text)
	name, known := millrace.CanonicalTrigger(document.TextIn(root, "trigger_name"))
	if !known {
		p.Message = "There is nothing to try the condition on: the text has no trigger_name that events have."
		return nil
	}
	var past *Past
	err := r.DB.View(r.Context(), func(tx *store.Tx) error {
		var err error
		past, err = ReadPast(r.Context(), tx, r.Env, name)
		return err
	})
	if err != nil {
		return err
	}
	condition := document.TextIn(root, "run_if")
	for _, m := range document.MembersOf(root) {
		if m.Key == "config" && condition == "" {
			condition = document.TextIn(m.Value, "run_if")
		}
	}
	p.Tried, err = past.Try(r.Context(), condition, 0)
	if err == nil {
		p.Tried.Name = name
	} else if millrace.KindOf(err) == millrace.KindInvalid {
		p.Message, err = err.Error(), nil
	}
	return err
}

// VersionsPage lists the versions of a workflow, and shows two of them side by side.
type VersionsPage struct {
	ID          string
	Label       string
	Versions    []VersionRow
	Older       string // address of the versions before these; empty: there are none
	Left, Right int64
	Diff        *Difference // nil: they are the same
}

// VersionRow is a version of the list.
type VersionRow struct {
	Number    int64
	CreatedAt millrace.Time
	Who       string // empty: it is not known
	Now       bool   // it is the one that runs
}

const versionsShown = 50

func versions(r *Request) (*Page, error) {
	id, err := r.ID()
	if err != nil {
		return nil, err
	}
	p := &VersionsPage{ID: id}
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(r.URL.Query().Get(name), 10, 64)
		return n
	}
	var texts [2]string
	err = r.DB.View(r.Context(), func(tx *store.Tx) error {
		ctx := r.Context()
		now, err := tx.Workflows().Get(ctx, r.Env, millrace.WorkflowID(id))
		if err != nil {
			return err
		}
		if err := p.list(ctx, tx, now, number("below"), r.URL.Path); err != nil {
			return err
		}
		if p.Right = number("right"); p.Right == 0 {
			p.Right = now.Version
		}
		if p.Left = number("left"); p.Left == 0 {
			p.Left = max(p.Right-1, 1)
		}
		for i, n := range []int64{p.Left, p.Right} {
			v, err := tx.Workflows().GetVersion(ctx, r.Env, now.ID, n)
			if err != nil {
				return err
			}
			if texts[i], err = textOfWorkflow(v, formYAML); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if (formOf(texts[0]) == formJSON) != (formOf(texts[1]) == formJSON) {
		for i := range texts {
			texts[i] = document.WriteJSON(parse(texts[i]))
		}
	}
	if texts[0] != texts[1] {
		p.Diff = compare("Version "+strconv.FormatInt(p.Left, 10), texts[0], "Version "+strconv.FormatInt(p.Right, 10), texts[1])
	}
	return &Page{Name: "versions", Title: "Versions of " + p.Label, Body: p}, nil
}

func (p *VersionsPage) list(ctx context.Context, tx *store.Tx, now *millrace.Workflow, below int64, address string) error {
	if p.Label = now.Label; p.Label == "" {
		p.Label = "a workflow without a label"
	}
	found, err := tx.Workflows().Versions(ctx, now.EnvironmentID, now.ID, below, versionsShown)
	for _, v := range found {
		p.Versions = append(p.Versions, VersionRow{Number: v.Number, CreatedAt: v.CreatedAt, Now: v.Number == now.Version})
	}
	if err == nil {
		err = p.authors(ctx, tx, now)
	}
	if n := len(found); n == versionsShown && found[n-1].Number > 1 {
		p.Older = address + "?below=" + strconv.FormatInt(found[n-1].Number, 10)
	}
	return err
}

// authors finds who has saved the versions, in the audit log.
func (p *VersionsPage) authors(ctx context.Context, tx *store.Tx, now *millrace.Workflow) error {
	const looked = 2 * versionsShown // a version is one entry, a deletion another
	if len(p.Versions) == 0 {
		return nil
	}
	page, err := store.AuditOf(tx).List(ctx, now.EnvironmentID, millrace.Query{Limit: looked, MaxBytes: millrace.MaxPageBytes, Filters: []millrace.Filter{
		{Field: "resource_id", Op: millrace.OpEq, Values: []string{string(now.ID)}},
	}})
	who := map[int64]string{}
	for i := range page.Result {
		e := &page.Result[i]
		var after struct {
			Version int64 `json:"version"`
		}
		if json.Unmarshal(e.After, &after) != nil || e.Resource != "workflow" {
			continue
		}
		if who[after.Version] = e.ActorName; e.ActorName == "" {
			who[after.Version] = string(e.ActorType)
		}
	}
	for i := range p.Versions {
		p.Versions[i].Who = who[p.Versions[i].Number]
	}
	return err
}
