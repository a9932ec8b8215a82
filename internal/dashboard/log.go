package dashboard

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/millrace/millrace"
)

// logPage is a page of one of the logs of the API.
type logPage struct {
	*list[logLine]
	Log     string
	Accepts []string // what it can be filtered by
}

// logLine is an entry: what all logs have in common, and the whole of it.
type logLine struct {
	At                       millrace.Time
	Level, Event, What, Text string
	Run, Account, Webhook    string
	Status                   string
	Whole                    json.RawMessage
}

// logs are the logs of the API with what people call them, and what each can be filtered by.
func logs() [][]string {
	return [][]string{
		{"rapid_bridge", "sync job runs", "sync_job_run_id", "sync_job_id", "integrated_account_id", "webhook_id"},
		{"webhook", "deliveries", "webhook_id", "event", "status", "integrated_account_id"},
		{"unified_proxy_api", "proxy calls", "integrated_account_id", "integration"},
		{"sync_job_cron_trigger", "schedules", "entity_id"},
	}
}

func (h *Handler) logs(r *request) (*view, error) {
	q := r.URL.Query()
	v := &logPage{list: &list[logLine]{Form: q}, Log: q.Get("log")}
	if v.Log == "" {
		v.Log = logs()[0][0]
	}
	ask := url.Values{"log_type": {v.Log}, "limit": {strconv.Itoa(perPage)}, "next_cursor": {q.Get("cursor")}}
	for _, log := range logs() {
		v.Filters = append(v.Filters, filter{log[1], r.URL.Path + "?log=" + log[0], log[0] == v.Log})
		if log[0] == v.Log {
			v.Accepts = log[2:]
		}
	}
	for _, name := range v.Accepts {
		if text := q.Get(name); text != "" {
			ask.Set("log_type_filter["+name+"]", text)
		}
	}
	w, err := h.ask(r.Context(), r, http.MethodGet, "/log?"+ask.Encode(), "", nil)
	if err != nil {
		return nil, err
	}
	var page struct {
		Result []json.RawMessage `json:"result"`
		Next   *string           `json:"next_cursor"`
	}
	if err := json.Unmarshal(w.body.Bytes(), &page); err != nil {
		return nil, err
	}
	for _, raw := range page.Result {
		v.Rows = append(v.Rows, lineOfLog(raw))
	}
	v.Next = r.next(page.Next)
	return &view{name: "logs", title: "Logs", body: v}, nil
}

// lineOfLog reads an entry. What a log does not have is empty.
func lineOfLog(raw json.RawMessage) logLine {
	l := logLine{}
	var e map[string]json.RawMessage
	_ = json.Unmarshal(raw, &e) // the API has made it
	text := func(names ...string) string {
		for _, name := range names {
			if t := textOf(e[name]); t != "" && t != "null" {
				return t
			}
		}
		return ""
	}
	_ = json.Unmarshal(e["timestamp"], &l.At)
	l.Level, l.Event, l.Text = text("level"), text("sync_job_run_event", "event"), text("message", "error", "reason")
	l.What = text("node", "resource", "integration", "cron_expression")
	l.Status = text("status", "outcome", "http_status_code", "response_status")
	l.Run, l.Account, l.Webhook = text("sync_job_run_id"), text("integrated_account_id"), text("webhook_id")
	delete(e, "metadata") // it repeats the rest
	l.Whole, _ = json.Marshal(e)
	return l
}
