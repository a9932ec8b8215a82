package settings

import (
	"errors"
	"net/http"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dashboard/editor"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/views"
)

// ListPage lists the environments.
type ListPage struct {
	Rows     []Line
	Erasing  []millrace.Environment // that are being deleted
	Next     string                 // address of the page behind this one; empty: there is none
	New      []Field                // of one that is created
	Message  string
	May      bool // the user may create one
	PastForm bool // the form has been sent
}

// Line is an environment with what it has.
type Line struct {
	millrace.Environment
	views.EnvironmentSummary
}

const (
	listed         = 50
	erasingsListed = 20
)

func environments(r *Request) (*editor.Page, error) {
	p, err := list(r)
	return &editor.Page{Name: "environments", Title: "Environments", Body: p}, err
}

func list(r *Request) (*ListPage, error) {
	p := &ListPage{May: r.may(millrace.RoleAdmin), New: []Field{nameField(), weightField()}}
	p.New[1].Value = "100"
	cursor := ""
	if r.Method == http.MethodGet {
		cursor = r.URL.Query().Get("cursor")
	}
	err := r.DB.View(r.Context(), func(tx *store.Tx) error {
		page, err := tx.Environments().List(r.Context(), "", millrace.Query{Limit: listed, Cursor: cursor, Sort: []millrace.Sort{{Field: "name"}}})
		if err != nil {
			return err
		}
		ids := make([]millrace.EnvironmentID, len(page.Result))
		for i := range page.Result {
			ids[i] = page.Result[i].ID
		}
		has, err := store.ViewsOf(tx).Environments(r.Context(), ids)
		if err != nil {
			return err
		}
		for i := range page.Result {
			p.Rows = append(p.Rows, Line{page.Result[i], has[page.Result[i].ID]})
		}
		if page.NextCursor != nil {
			q := r.URL.Query()
			q.Set("cursor", *page.NextCursor)
			p.Next = r.URL.Path + "?" + q.Encode()
		}
		p.Erasing, err = tx.Environments().AllErasing(r.Context(), erasingsListed)
		return err
	})
	return p, err
}

// create makes an environment. Whatever is wrong, what was typed stays.
func create(r *Request) (*editor.Page, error) {
	form, err := r.form()
	if err != nil {
		return nil, err
	}
	p, err := list(r)
	if err != nil {
		return nil, err
	}
	p.PastForm = true
	read(p.New, form.Get)
	body := body(p.New)
	page := &editor.Page{Name: "environments", Title: "Environments", Body: p, Status: http.StatusBadRequest}
	if wrong(p.New) {
		return page, nil
	}
	var made millrace.Environment
	if err := r.Call(r.Context(), http.MethodPost, "/environment", body, &made); err != nil {
		page.Status = rest.StatusOf(millrace.KindOf(err))
		p.Message, err = reject(p.New, err)
		return page, err
	}
	return &editor.Page{To: r.base(made.ID) + "/settings?done=made"}, nil
}

// EnvironmentPage is an environment with its settings.
type EnvironmentPage struct {
	millrace.Environment
	Fields   []Field
	Base     string // the version that the form began with
	Limits   limits
	Has      views.EnvironmentSummary
	May      bool // the user may change it
	Owner    bool // the user may delete it
	Message  string
	Conflict bool // another user has changed it since the form began
	PastForm bool
}

// limits are what the API says of an environment beside its settings.
type limits struct {
	Percent            int   `json:"workers_percent"`
	RequestsPerToken   int   `json:"requests_per_token"`
	RequestsPerAccount int   `json:"requests_per_account"`
	InboundPerAccount  int   `json:"inbound_per_account"`
	InboundBytes       int   `json:"inbound_bytes_per_account"`
	ConditionMillis    int64 `json:"condition_ms"`
	RunsPerEvent       int64 `json:"runs_per_event"`
	Workers            []struct {
		Kind    string `json:"kind"`
		Workers int    `json:"workers"`
		Busy    int    `json:"busy"`
		Waiting int64  `json:"waiting"`
	} `json:"workers"`
}

func environment(r *Request) (*editor.Page, error) {
	p, err := settings(r)
	if err != nil {
		return nil, err
	}
	return p.page(0), nil
}

func (p *EnvironmentPage) page(status int) *editor.Page {
	return &editor.Page{Name: "environment", Title: "Settings", Body: p, Status: status}
}

// settings reads the environment as it is.
func settings(r *Request) (*EnvironmentPage, error) {
	p := &EnvironmentPage{May: r.may(millrace.RoleAdmin), Owner: r.may(millrace.RoleOwner)}
	err := r.DB.View(r.Context(), func(tx *store.Tx) error {
		now, err := tx.Environments().Get(r.Context(), r.Env.ID)
		if err != nil {
			return err
		}
		p.Environment = *now
		has, err := store.ViewsOf(tx).Environments(r.Context(), []millrace.EnvironmentID{r.Env.ID})
		p.Has = has[r.Env.ID]
		return err
	})
	if err != nil {
		return nil, err
	}
	p.Fields, p.Base = fields(&p.Environment), rest.BaseOf(&p.Environment)
	var got struct {
		Limits limits `json:"limits"`
	}
	err = r.Call(r.Context(), http.MethodGet, "/environment/"+string(p.ID), nil, &got)
	p.Limits = got.Limits
	return p, err
}

// save changes the settings. Whatever is wrong, what was typed stays; what another user has saved meanwhile is shown beside it, and saving
// again replaces it.
func save(r *Request) (*editor.Page, error) {
	form, err := r.form()
	if err != nil {
		return nil, err
	}
	p, err := settings(r)
	if err != nil {
		return nil, err
	}
	p.PastForm = true
	stored := fields(&p.Environment)
	read(p.Fields, form.Get)
	body := body(p.Fields)
	if wrong(p.Fields) {
		p.Base = form.Get("base")
		return p.page(http.StatusBadRequest), nil
	}
	err = r.Call(rest.Editing(r.Context(), rest.Edit{Base: form.Get("base")}), http.MethodPatch, "/environment/"+string(p.ID), body, nil)
	if err == nil {
		return &editor.Page{To: r.base(p.ID) + "/settings?done=saved"}, nil
	}
	status := rest.StatusOf(millrace.KindOf(err))
	if millrace.KindOf(err) == millrace.KindConflict && form.Get("base") != p.Base {
		p.overtaken(stored)
		return p.page(status), nil
	}
	p.Base = form.Get("base")
	p.Message, err = reject(p.Fields, err)
	return p.page(status), err
}

// overtaken shows what is stored beside what was typed.
func (p *EnvironmentPage) overtaken(stored []Field) {
	p.Conflict = true
	for i := range p.Fields {
		p.Fields[i].Theirs, p.Fields[i].Differs = stored[i].Value, stored[i].Value != p.Fields[i].Value
	}
}

// ErasePage asks before an environment is deleted, and says how far that is.
type ErasePage struct {
	millrace.Environment
	Had     []store.Owned
	Typed   string
	Problem string
	Until   millrace.Time // when the entry itself goes
	Gone    bool
}

// Counted is from how many rows on they are not counted any more.
func (*ErasePage) Counted() int64 { return store.CountedRows }

// erase asks for the name of an environment, and deletes it.
func erase(r *Request) (*editor.Page, error) {
	p := &ErasePage{Environment: *r.Env}
	err := r.DB.View(r.Context(), func(tx *store.Tx) error {
		var err error
		p.Had, err = tx.Rows().OfEnvironment(r.Context(), r.Env.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	page := &editor.Page{Name: "erase", Title: "Delete " + r.Env.Name, Body: p}
	if r.Method == http.MethodGet {
		return page, nil
	}
	form, err := r.form()
	if err != nil {
		return nil, err
	}
	if p.Typed = form.Get("name"); spaced(p.Typed) != spaced(r.Env.Name) {
		page.Status, p.Problem = http.StatusBadRequest, "is not the name of this environment, which is "+r.Env.Name
		return page, nil
	}
	err = r.Call(r.Context(), http.MethodDelete, "/environment/"+string(r.Env.ID)+"?force=true", nil, nil)
	return &editor.Page{To: r.Root + "/environments/" + string(r.Env.ID)}, err
}

// spaced is a name as a page shows it.
func spaced(name string) string { return strings.Join(strings.Fields(name), " ") }

// erasing says how far the deletion of an environment has come.
func erasing(r *Request) (*editor.Page, error) {
	id := millrace.EnvironmentID(strings.ToLower(r.PathValue("id")))
	p := &ErasePage{Environment: millrace.Environment{ID: id}}
	err := r.DB.View(r.Context(), func(tx *store.Tx) error {
		now, err := tx.Environments().Erasing(r.Context(), id)
		if err != nil || now == nil {
			return errors.Join(err, millrace.NotFound("environment", millrace.Shorten(string(id))))
		}
		p.Environment, p.Until = *now, now.DeletingAt.Add(store.EnvironmentSweep)
		p.Had, err = tx.Rows().OfEnvironment(r.Context(), id)
		return err
	})
	if millrace.KindOf(err) == millrace.KindNotFound && err != nil {
		return alive(r, id, err)
	}
	return &editor.Page{Name: "erase", Title: "Deleting " + p.Name, Body: p}, err
}

// alive leads to the settings of an environment that is not being deleted.
func alive(r *Request, id millrace.EnvironmentID, gone error) (*editor.Page, error) {
	err := r.DB.View(r.Context(), func(tx *store.Tx) error {
		_, err := tx.Environments().Get(r.Context(), id)
		return err
	})
	if millrace.KindOf(err) == millrace.KindNotFound && err != nil {
		return nil, gone
	}
	return &editor.Page{To: r.base(id) + "/settings"}, err
}
