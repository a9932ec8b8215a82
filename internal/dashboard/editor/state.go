package editor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/store"
)

// StatePage is the state that runs of a sync job keep.
type StatePage struct {
	ID, Label string
	Template  string   // how runs name their state
	Keys      []string // the states of the last runs
	StateKey  string   // the one that is shown
	Entries   []StateRow
	More      string // address of the entries behind these
	Problem   string
	New       StateRow // an entry that could not be stored
	Edits     bool
}

// StateRow is an entry.
type StateRow struct {
	millrace.StateEntry
	Text  string
	Large bool // it is not shown as a whole, and so cannot be changed here
}

const (
	statesShown  = 25
	runsLooked   = 50
	largestState = 16 << 10
)

// state shows the entries of a state, and changes them.
func state(r *Request) (*Page, error) {
	id, err := r.ID()
	if err != nil {
		return nil, err
	}
	p := &StatePage{ID: id, StateKey: r.URL.Query().Get("state_key"), Edits: r.Steers && r.Sees}
	status := http.StatusOK
	if r.Method == http.MethodPost {
		to, err := p.change(r)
		var known *millrace.Error
		switch {
		case err == nil:
			return &Page{To: to}, nil
		case !r.Sees || !errors.As(err, &known):
			return nil, err
		}
		p.Problem, status = known.Message, rest.StatusOf(known.Kind)
	}
	err = r.DB.View(r.Context(), func(tx *store.Tx) error { return p.read(r, tx) })
	return &Page{Name: "state", Title: "State of " + p.Label, Body: p, Status: status}, err
}

func (p *StatePage) change(r *Request) (string, error) {
	if !r.Sees {
		return "", millrace.Errorf(millrace.KindForbidden, "your user may not see payloads, and so cannot change the state of runs")
	}
	form, err := r.Sent()
	if err != nil {
		return "", err
	}
	p.StateKey = form.Get("state_key")
	key, value := form.Get("key"), form.Get("value")
	query := "?" + url.Values{"state_key": {p.StateKey}}.Encode()
	c := &Call{Method: http.MethodPost, Path: "/sync-job-run-state" + query}
	if form.Get("do") == "delete" {
		c.Method, c.Path = http.MethodDelete, "/sync-job-run-state/"+strings.ReplaceAll(url.PathEscape(key), ".", "%2E")+query
	} else {
		p.New = StateRow{StateEntry: millrace.StateEntry{Key: key}, Text: value}
		if !json.Valid([]byte(value)) {
			return "", millrace.Invalid("value", "must be JSON: a text stands in double quotes")
		}
		if c.Body, err = json.Marshal(map[string]any{"key": key, "value": json.RawMessage(value)}); err != nil {
			return "", err
		}
	}
	if _, err := r.Call(r.Context(), c); err != nil {
		return "", err
	}
	return r.URL.Path + query + "&done=saved", nil
}

func (p *StatePage) read(r *Request, tx *store.Tx) error {
	ctx := r.Context()
	job, err := tx.SyncJobs().Get(ctx, r.Env, millrace.SyncJobID(p.ID))
	if err != nil {
		return err
	}
	p.Label, p.Template = job.Label, job.StateKey
	if err := p.readKeys(ctx, tx, job); err != nil || !r.Sees {
		return err
	}
	page, err := tx.States().List(ctx, r.Env, millrace.Query{
		Limit: statesShown, MaxBytes: millrace.MaxPageBytes, Cursor: r.URL.Query().Get("cursor"),
		Filters: []millrace.Filter{{Field: "state_key", Op: millrace.OpEq, Values: []string{p.StateKey}}},
	})
	if err != nil {
		return err
	}
	for _, e := range page.Result {
		row := StateRow{StateEntry: e, Large: len(e.Value) > largestState}
		if row.Text = string(e.Value[:min(len(e.Value), largestState)]); !row.Large {
			var b bytes.Buffer
			if json.Indent(&b, e.Value, "", "  ") == nil {
				row.Text = b.String()
			}
		}
		p.Entries = append(p.Entries, row)
	}
	if page.NextCursor != nil {
		p.More = r.URL.Path + "?" + url.Values{"state_key": {p.StateKey}, "cursor": {*page.NextCursor}}.Encode()
	}
	return nil
}

// readKeys finds the states of the last runs.
func (p *StatePage) readKeys(ctx context.Context, tx *store.Tx, job *millrace.SyncJob) error {
	if !strings.Contains(job.StateKey, "{{") {
		p.Keys = append(p.Keys, job.StateKey)
	}
	runs, err := tx.SyncJobRuns().List(ctx, job.EnvironmentID, millrace.Query{
		Limit: runsLooked, MaxBytes: millrace.MaxPageBytes, Filters: []millrace.Filter{{Field: "sync_job_id", Op: millrace.OpEq, Values: []string{string(job.ID)}}},
	})
	for i := range runs.Result {
		if key := runs.Result[i].StateKey; !slices.Contains(p.Keys, key) {
			p.Keys = append(p.Keys, key)
		}
	}
	if p.StateKey == "" && len(p.Keys) > 0 && !slices.Contains(p.Keys, "") {
		p.StateKey = p.Keys[0]
	}
	return err
}
