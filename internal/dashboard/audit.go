package dashboard

import (
	"context"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dashboard/entry"
	"github.com/millrace/millrace/internal/store"
)

// auditPage lists who changed what.
type auditPage struct {
	*list[auditLine]
	Installation bool // it shows what belongs to no environment
	May          bool // the user may see that
}

// auditLine is an entry with what it says, place by place.
type auditLine struct {
	store.AuditEntry
	Href   string // of the page of the object; empty: there is none
	Places []entry.Place
}

// Of is what was changed, in words.
func (l *auditLine) Of() string { return strings.ReplaceAll(l.Resource, "_", " ") }

func (h *Handler) audit(r *request) (*view, error) {
	v := &auditPage{May: r.who.Role.AtLeast(millrace.RoleAdmin)}
	v.Installation = v.May && r.URL.Query().Get("of") == "installation"
	var err error
	v.list, err = listed(h, r, func(ctx context.Context, tx *store.Tx, q millrace.Query) (millrace.Page[auditLine], error) {
		read := func() (millrace.Page[store.AuditEntry], error) { return store.AuditOf(tx).List(ctx, r.env.ID, q) }
		if v.Installation {
			read = func() (millrace.Page[store.AuditEntry], error) { return store.AuditOf(tx).OfInstallation(ctx, q) }
		}
		page, err := read()
		out := millrace.Page[auditLine]{NextCursor: page.NextCursor}
		for i := range page.Result {
			out.Result = append(out.Result, auditLine{page.Result[i], pageOf(r, &page.Result[i]), entry.Places(&page.Result[i], r.sees())})
		}
		return out, err
	}, "resource", "resource_id", "actor_id")
	return &view{name: "audit", title: "Audit", body: v}, err
}

// pageOf returns the address of the page of an object.
func pageOf(r *request, e *store.AuditEntry) string {
	pages := map[string]string{
		"integrated_account": "accounts", "webhook": "webhooks", "workflow": "workflows", "sync_job": "sync-jobs", "sync_job_cron_trigger": "schedules",
		"integration": "integrations", "sync_job_run": "runs", "workflow_run": "workflow-runs", "webhook_delivery": "deliveries",
	}
	page, ok := pages[e.Resource]
	if !ok || e.ResourceID == "" || e.Action == store.AuditDeleted {
		return ""
	}
	return r.path(page, e.ResourceID)
}
