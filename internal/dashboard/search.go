package dashboard

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/views"
)

// found is what a search has found.
type found struct {
	Query string
	Rows  []hit
}

type hit struct{ Kind, Label, Href string }

const maxSearch = 200

// pagesOf are the pages of what a search finds.
func pagesOf() map[string][2]string {
	return map[string][2]string{
		"event": {"events", "event"}, "workflow_run": {"workflow-runs", "workflow run"}, "sync_job_run": {"runs", "sync job run"},
		"delivery": {"deliveries", "delivery"}, "integrated_account": {"accounts", "account"}, "webhook": {"webhooks", "webhook"},
		"workflow": {"workflows", "workflow"}, "sync_job": {"sync-jobs", "sync job"}, "sync_job_cron_trigger": {"schedules", "schedule"},
		"inbound_hook": {"inbound-hooks", "inbound hook"}, "integration": {"integrations", "integration"},
	}
}

// search finds what an id belongs to, accounts by the beginning of their tenant, and other things by a part of their name. One hit of an id
// is gone to at once.
func (h *Handler) search(r *request) (*view, error) {
	text := strings.TrimSpace(r.URL.Query().Get("q"))
	v := &found{Query: text}
	if text == "" || len(text) > maxSearch {
		return &view{name: "search", title: "Search", body: v}, nil
	}
	var rows []views.Found
	err := h.DB.View(r.Context(), func(tx *store.Tx) error {
		q := store.ViewsOf(tx)
		var err error
		if millrace.IsID(text) {
			rows, err = q.ByID(r.Context(), r.env.ID, text)
		} else {
			rows, err = q.ByText(r.Context(), r.env.ID, text)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		page, ok := pagesOf()[row.Kind]
		if ok {
			v.Rows = append(v.Rows, hit{page[1], labelled(row.Label, row.ID), r.path(page[0], row.ID)})
		}
	}
	if known, _ := millrace.CanonicalTrigger(text); known != "" && strings.Contains(text, ":") {
		v.Rows = append(v.Rows, hit{"events", text, r.path("events") + "?" + url.Values{"event": {text}}.Encode()})
	}
	if millrace.IsID(text) && len(v.Rows) == 1 {
		http.Redirect(r.w, r.Request, v.Rows[0].Href, http.StatusSeeOther)
		return nil, nil //nolint:nilnil // it has responded
	}
	return &view{name: "search", title: "Search", body: v}, nil
}
