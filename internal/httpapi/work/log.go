package work

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/store"
)

// LogNote is the description of GET /log.
const LogNote = "What happened, newest first: in sync job runs (rapid_bridge), to the due instants of schedules " +
	"(sync_job_cron_trigger), with deliveries to webhooks (webhook), and in calls of the proxy API and the custom API (unified_proxy_api). mcp is known and empty. Every entry has its fields at the top and, for " +
	"clients that look there, in metadata. Fields without a value are left out."

// LogParameters documents the parameters of GET /log.
func LogParameters(d *rest.Doc) {
	types := slices.Sorted(maps.Keys(logTypes()))
	enum := make([]any, len(types))
	for i, name := range types {
		enum[i] = name
	}
	one, most := 1.0, float64(millrace.MaxLogLimit)
	text := &huma.Schema{Type: huma.TypeString}
	bounds := map[string]*huma.Schema{"gt": {Type: huma.TypeString, Format: "date-time"}, "lt": {Type: huma.TypeString, Format: "date-time"}}
	d.Op.Parameters = []*huma.Param{
		{Name: "log_type", In: "query", Required: true, Description: "Which log.", Schema: &huma.Schema{Type: huma.TypeString, Enum: enum}},
		{
			Name: "created_at", In: "query", Style: "deepObject", Explode: new(true),
			Description: "created_at[gt] and created_at[lt], at most one month apart.",
			Schema:      &huma.Schema{Type: huma.TypeObject, Properties: bounds},
		},
		{
			Name: "log_type_filter", In: "query", Style: "deepObject", Explode: new(true),
			Description: "log_type_filter[sync_job_run_id]=...; rapid_bridge knows sync_job_run_id, sync_job_id, sync_job_run_event, " +
				"integrated_account_id, webhook_id and integration, sync_job_cron_trigger knows entity_id, webhook knows webhook_id, event, status and integrated_account_id, " +
				"unified_proxy_api knows request_type, integrated_account_id and integration.",
			Schema: &huma.Schema{Type: huma.TypeObject, AdditionalProperties: text},
		},
		{
			Name: "limit", In: "query", Description: "How many entries to return at most.",
			Schema: &huma.Schema{Type: huma.TypeInteger, Minimum: &one, Maximum: &most, Default: millrace.MaxLogLimit},
		},
		{Name: "next_cursor", In: "query", Description: "The next_cursor of the page before; empty for the first.", Schema: text},
	}
}

// maxLogSpan is how far apart the bounds of a query may be.
const maxLogSpan = 31 * 24 * time.Hour

// entry is one entry of a log.
type entry map[string]any

// logPage is the response to a query.
type logPage struct {
	Result     []entry `json:"result"`
	NextCursor *string `json:"next_cursor"`
}

// logReader reads one page of a log.
type logReader func(context.Context, *store.Tx, millrace.EnvironmentID, millrace.LogQuery) ([]entry, *string, error)

// logOf reads a log of rows that are shown one by one.
func logOf[T any](
	list func(*store.Tx, context.Context, millrace.EnvironmentID, millrace.LogQuery) (millrace.Page[T], error), show func(*T) entry,
) logReader {
	return func(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID, q millrace.LogQuery) ([]entry, *string, error) {
		page, err := list(tx, ctx, env, q)
		entries := make([]entry, len(page.Result))
		for i := range page.Result {
			entries[i] = show(&page.Result[i])
		}
		return entries, page.NextCursor, err
	}
}

// on makes a function of a unit of work from a verb of one of its handles.
func on[H, T any](
	handle func(*store.Tx) H, verb func(H, context.Context, millrace.EnvironmentID, millrace.LogQuery) (millrace.Page[T], error),
) func(*store.Tx, context.Context, millrace.EnvironmentID, millrace.LogQuery) (millrace.Page[T], error) {
	return func(tx *store.Tx, ctx context.Context, env millrace.EnvironmentID, q millrace.LogQuery) (millrace.Page[T], error) {
		return verb(handle(tx), ctx, env, q)
	}
}

// logTypes are the logs by their published names. Nil: there is nothing in it.
func logTypes() map[string]logReader {
	return map[string]logReader{
		"rapid_bridge":          logOf(on((*store.Tx).SyncJobRuns, store.SyncJobRuns.ListLog), runEntry),
		"sync_job_cron_trigger": logOf(on((*store.Tx).Schedules, store.Schedules.ListFireLog), fireEntry),
		"webhook":               logOf(on((*store.Tx).Deliveries, store.Deliveries.ListLog), deliveryEntry),
		"unified_proxy_api":     logOf(on((*store.Tx).Calls, store.Calls.ListLog), callEntry),
		"mcp":                   nil,
	}
}

// logIn is the input of GET /log.
type logIn struct {
	rest.Principal
	Type string
	Log  millrace.LogQuery
	none bool // it is for another environment's entries
}

func (in *logIn) Read(r *rest.Request, _ *rest.BodyReader) error {
	in.Principal = r.Principal
	raw := r.HTTP.URL.Query()
	limit := raw.Get("limit")
	raw.Del("limit") // of its own size here
	query, err := rest.ParseQuery(raw.Encode(), r.Environment)
	if err != nil {
		return err
	}
	in.none = query.None
	p := &logParser{in: in, own: r.Environment}
	in.Log.Cursor, in.Log.Filters = query.Cursor, map[string]string{}
	p.limit(limit)
	for _, f := range query.Filters {
		p.filter(f)
	}
	p.check(r.At)
	return millrace.InvalidAll(p.failures)
}

// logParser turns the filters of a list's query into the query of a log.
type logParser struct {
	in       *logIn
	own      millrace.EnvironmentID
	failures []millrace.Failure
}

func (p *logParser) fail(path, message string) *millrace.Failure {
	p.failures = append(p.failures, millrace.Failure{Path: millrace.Shorten(path), Message: message})
	return &p.failures[len(p.failures)-1]
}

func (p *logParser) limit(text string) {
	if text == "" {
		return
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > millrace.MaxLogLimit {
		p.fail("limit", "must be a whole number from 1 to "+strconv.Itoa(millrace.MaxLogLimit))
	}
	p.in.Log.Limit = n
}

func (p *logParser) filter(f millrace.Filter) {
	key, filtered := strings.CutPrefix(f.Field, "log_type_filter.")
	switch {
	case f.Field == "log_type" && f.Op == millrace.OpEq && len(f.Values) == 1:
		p.in.Type = f.Values[0]
	case f.Field == "created_at" && f.Op == millrace.OpGt:
		p.in.Log.After = p.time("created_at[gt]", f.Values[0])
	case f.Field == "created_at" && f.Op == millrace.OpLt:
		p.in.Log.Before = p.time("created_at[lt]", f.Values[0])
	case filtered && (f.Op != millrace.OpEq || len(f.Values) != 1):
		p.fail("log_type_filter["+key+"]", "takes one value")
	case filtered && key == "environment_id":
		p.in.none = p.in.none || f.Values[0] != "" && !strings.EqualFold(f.Values[0], string(p.own))
	case filtered && f.Values[0] != "":
		p.in.Log.Filters[key] = f.Values[0]
	case filtered:
	default:
		known := []string{"log_type", "created_at[gt]", "created_at[lt]", "limit", "next_cursor", "log_type_filter[...]"}
		p.fail(f.Field, "is not a parameter of the log; known are "+strings.Join(known, ", ")).Suggestion = millrace.Nearest(f.Field, known)
	}
}

func (p *logParser) time(path, text string) millrace.Time {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", time.DateTime, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return millrace.TimeOf(at)
		}
	}
	p.fail(path, "must be an ISO 8601 date or time, not "+strconv.Quote(millrace.Shorten(text)))
	return 0
}

// check checks what the parameters mean together.
func (p *logParser) check(now millrace.Time) {
	names := slices.Sorted(maps.Keys(logTypes()))
	if _, known := logTypes()[p.in.Type]; !known {
		f := p.fail("log_type", "is required; one of "+strings.Join(names, ", "))
		if p.in.Type != "" {
			f.Message = "there is no log " + strconv.Quote(millrace.Shorten(p.in.Type)) + "; there are " + strings.Join(names, ", ")
			f.Suggestion = millrace.Nearest(p.in.Type, names)
		}
	}
	after, before := p.in.Log.After, p.in.Log.Before
	switch {
	case before != 0 && after == 0:
		p.fail("created_at[lt]", "needs created_at[gt], at most one month before it")
	case after == 0:
		return
	case before == 0:
		before = now
	}
	if time.Duration(before-after)*time.Microsecond > maxLogSpan {
		p.fail("created_at[gt]", "must be at most one month before created_at[lt], which is now when absent")
	}
}

// LogEntries handles GET /log.
func (h *Handlers) LogEntries(ctx context.Context, in *logIn) (*rest.Reply[logPage], error) {
	out := &rest.Reply[logPage]{Body: logPage{Result: []entry{}}}
	read := logTypes()[in.Type]
	if read == nil || in.none {
		return out, nil
	}
	err := h.DB.View(ctx, func(tx *store.Tx) error {
		entries, next, err := read(ctx, tx, in.Environment, in.Log)
		if err != nil {
			return err
		}
		out.Body.NextCursor, out.Body.Result = next, make([]entry, len(entries))
		for i, e := range entries {
			out.Body.Result[i] = e.published(in.Environment)
		}
		return nil
	})
	return out, err
}

// published completes an entry: what all have in common, and the two shapes that are documented.
func (e entry) published(env millrace.EnvironmentID) entry {
	metadata := entry{}
	for key, v := range e {
		if !isEmpty(v) && key != "_id" && key != "timestamp" {
			metadata[key] = v
		}
	}
	metadata["service"], metadata["environment_id"] = "millrace", env
	out := maps.Clone(metadata)
	out["_id"], out["timestamp"], out["metadata"] = e["_id"], e["timestamp"], metadata
	return out
}

func isEmpty(v any) bool {
	switch v := v.(type) {
	case string:
		return v == ""
	case []entry:
		return len(v) == 0
	case json.RawMessage:
		return len(v) == 0
	}
	return v == nil
}
