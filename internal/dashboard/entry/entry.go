// Package entry reads entries of the audit log and of the other logs for the pages that list them, and what the form of a notification
// destination says.
package entry

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// Place is a place in an object that was changed.
type Place struct{ Path, Before, After string }

// payloads are the parts of objects that only those see who may see payloads.
func payloads() []string { return []string{"context", "args", "value", "metadata", "features"} }

// Places returns what was changed. Without the right to see payloads, those are said to have changed, and no more.
func Places(e *store.AuditEntry, sees bool) []Place {
	var before, after map[string]json.RawMessage
	_ = json.Unmarshal(e.Before, &before) // of an entry that was erased there is nothing
	_ = json.Unmarshal(e.After, &after)
	paths := slices.Collect(maps.Keys(before))
	paths = slices.AppendSeq(paths, maps.Keys(after))
	slices.Sort(paths)
	var out []Place
	for _, path := range slices.Compact(paths) {
		p := Place{path, textOf(before[path]), textOf(after[path])}
		top, _, _ := strings.Cut(path, ".")
		top, _, _ = strings.Cut(top, "[")
		if !sees && slices.Contains(payloads(), top) {
			p = Place{Path: top, Before: hiddenIf(p.Before), After: hiddenIf(p.After)}
		}
		out = append(out, p)
	}
	return slices.CompactFunc(out, func(a, b Place) bool { return a == b })
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

// Log is an entry: what all logs have in common, and the whole of it.
type Log struct {
	At                       millrace.Time
	Level, Event, What, Text string
	Run, Account, Webhook    string
	Status                   string
	Whole                    json.RawMessage
}

// Logs are the logs of the API with what people call them, and what each can be filtered by.
func Logs() [][]string {
	return [][]string{
		{"rapid_bridge", "sync job runs", "sync_job_run_id", "sync_job_id", "integrated_account_id", "webhook_id"},
		{"webhook", "deliveries", "webhook_id", "event", "status", "integrated_account_id"},
		{"unified_proxy_api", "proxy calls", "integrated_account_id", "integration"},
		{"sync_job_cron_trigger", "schedules", "entity_id"},
	}
}

// OfLog reads an entry. What a log does not have is empty.
func OfLog(raw json.RawMessage) Log {
	l := Log{}
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

// words splits what a form has on lines, or between commas.
func words(text string) []string {
	return strings.FieldsFunc(text, func(c rune) bool { return c == ',' || c == ' ' || c == '\n' || c == '\r' || c == '\t' })
}

// Destination is what a form says of a destination.
func Destination(r *http.Request, kind millrace.NotificationType) map[string]any {
	config := map[string]any{}
	switch kind {
	case millrace.NotifySlack:
		config["webhook_url"] = strings.TrimSpace(r.PostFormValue("address"))
	case millrace.NotifyEmail:
		config["to"] = words(r.PostFormValue("to"))
		for name, list := range map[string][]string{"cc": words(r.PostFormValue("cc")), "bcc": words(r.PostFormValue("bcc"))} {
			if len(list) > 0 {
				config[name] = list
			}
		}
		if prefix := r.PostFormValue("subject_prefix"); prefix != "" {
			config["subject_prefix"] = prefix
		}
	case millrace.NotifyToWebhook, millrace.NoNotification:
		config["target_url"] = strings.TrimSpace(r.PostFormValue("address"))
	}
	body := map[string]any{"label": r.PostFormValue("label"), "config": config}
	if types := words(r.PostFormValue("event_types")); len(types) > 0 {
		body["event_types"] = types
	}
	return body
}
