package dashboard

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/millrace/millrace"
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
	Places []auditPlace
}

// auditPlace is a place in an object that was changed.
type auditPlace struct{ Path, Before, After string }

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
			out.Result = append(out.Result, auditLine{page.Result[i], pageOf(r, &page.Result[i]), places(&page.Result[i], r.sees())})
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

// payloads are the parts of objects that only those see who may see payloads.
func payloads() []string { return []string{"context", "args", "value", "metadata", "features"} }

// places returns what was changed. Without the right to see payloads, those are said to have changed, and no more.
func places(e *store.AuditEntry, sees bool) []auditPlace {
	var before, after map[string]json.RawMessage
	_ = json.Unmarshal(e.Before, &before) // of an entry that was erased there is nothing
	_ = json.Unmarshal(e.After, &after)
	paths := slices.Collect(maps.Keys(before))
	paths = slices.AppendSeq(paths, maps.Keys(after))
	slices.Sort(paths)
	var out []auditPlace
	for _, path := range slices.Compact(paths) {
		p := auditPlace{path, textOf(before[path]), textOf(after[path])}
		top, _, _ := strings.Cut(path, ".")
		top, _, _ = strings.Cut(top, "[")
		if !sees && slices.Contains(payloads(), top) {
			p = auditPlace{Path: top, Before: hiddenIf(p.Before), After: hiddenIf(p.After)}
		}
		out = append(out, p)
	}
	return slices.CompactFunc(out, func(a, b auditPlace) bool { return a == b })
}

func hiddenIf(text string) string {
	if text == "" {
		return ""
	}
	return "[payload]"
}

// textOf shows a value: a text without its quotes.
func textOf(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}
