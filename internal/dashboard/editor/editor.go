package editor

import (
	"context"
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"strconv"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/document"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/store"
)

// kind is a kind of definitions.
type kind struct {
	name    string // as people say it
	list    string // address of the list, below the pages of the environment
	path    string // of the API
	starter string // the text of a new one
	read    func(ctx context.Context, r *Request, tx *store.Tx, id string) (*stored, error)
	version func(ctx context.Context, r *Request, tx *store.Tx, id string, version int64) (*stored, error) // nil: versions are not kept
	more    func(r *Request, p *EditPage, do string) error                                                 // what else is said of a text
}

// stored is a definition as it is stored.
type stored struct {
	label string
	base  string
	write func(form string) (string, error)
}

// EditPage is a text with what is said of it.
type EditPage struct {
	Kind     string // workflow, sync job
	ID       string // empty: it is new
	Address  string // of the form
	Back     string
	Label    string
	Base     string
	Text     string
	Form     string // yaml or json
	Other    string // the form that it is not in
	Problems []Problem
	Checked  bool // the API was asked, and has nothing against it
	Message  string
	Conflict *Difference // between what somebody else has saved and the text
	Tries    bool        // its condition can be tried
	Tried    *Tried
	Graph    template.HTML
	ReadOnly bool
	Rejected bool  // it could not be saved
	Restored int64 // the version that the text is
}

// Wrong is how many problems there are that are no warnings.
func (p *EditPage) Wrong() int {
	n := 0
	for i := range p.Problems {
		if !p.Problems[i].Warning {
			n++
		}
	}
	return n
}

func (k *kind) page(r *Request, id string) *EditPage {
	p := &EditPage{Kind: k.name, ID: id, Address: r.URL.Path, Back: r.Base + "/" + k.list, ReadOnly: !r.Steers}
	if id != "" {
		p.Back += "/" + id
	}
	return p
}

func (k *kind) shown(p *EditPage, status int) *Page {
	p.Form, p.Other = formYAML, formJSON
	if formOf(p.Text) == formJSON {
		p.Form, p.Other = formJSON, formYAML
	}
	title := "New " + k.name
	if p.ID != "" {
		title = "Edit " + p.Label
		if p.Label == "" {
			title += k.name
		}
	}
	return &Page{Name: "edit", Title: title, Body: p, Status: status}
}

// open shows the text of a definition, of one of its versions, or of one that it is a copy of.
func (k *kind) open(r *Request) (*Page, error) {
	id, err := r.ID()
	if err != nil {
		return nil, err
	}
	p, q := k.page(r, id), r.URL.Query()
	from := id
	if id == "" && millrace.IsID(q.Get("from")) {
		from = q.Get("from")
	}
	if from == "" {
		if p.Text, err = k.begin(r); err != nil {
			return nil, err
		}
		if q.Get("as") == formJSON {
			if root := parse(p.Text); root != nil {
				p.Text = document.WriteJSON(root)
			}
		}
	} else if err := k.load(r, p, from); err != nil {
		return nil, err
	}
	if !p.ReadOnly {
		if err := k.look(r, p, ""); err != nil {
			return nil, err
		}
	}
	return k.shown(p, 0), nil
}

// begin is the text of a new definition, with what the environment has first.
func (k *kind) begin(r *Request) (string, error) {
	job, hook, integration := "", "", "crm"
	err := r.DB.View(r.Context(), func(tx *store.Tx) error {
		q := millrace.Query{Limit: 1}
		jobs, err := tx.SyncJobs().List(r.Context(), r.Env, q)
		if err != nil {
			return err
		}
		for i := range jobs.Result {
			job = string(jobs.Result[i].ID)
		}
		hooks, err := tx.Webhooks().List(r.Context(), r.Env, q)
		if err != nil {
			return err
		}
		for i := range hooks.Result {
			hook = string(hooks.Result[i].ID)
		}
		integrations, err := tx.Integrations().List(r.Context(), r.Env, q)
		for i := range integrations.Result {
			integration = integrations.Result[i].Name
		}
		return err
	})
	return strings.NewReplacer("JOB", job, "HOOK", hook, "INTEGRATION", integration).Replace(k.starter), err
}

// load reads the text that is stored.
func (k *kind) load(r *Request, p *EditPage, from string) error {
	was := new(stored)
	err := r.DB.View(r.Context(), func(tx *store.Tx) error {
		now, err := k.read(r.Context(), r, tx, from)
		if err != nil {
			return err
		}
		if was = now; k.version == nil || r.URL.Query().Get("version") == "" {
			return nil
		}
		n, err := strconv.ParseInt(r.URL.Query().Get("version"), 10, 64)
		if err != nil {
			return millrace.NotFound("version", millrace.Shorten(r.URL.Query().Get("version")))
		}
		was, err = k.version(r.Context(), r, tx, from, n)
		if err == nil {
			was.base, p.Restored = now.base, n
		}
		return err
	})
	if err != nil {
		return err
	}
	if p.ID != "" {
		p.Base, p.Label = was.base, was.label
	}
	p.Text, err = was.write(r.URL.Query().Get("as"))
	return err
}

// call is the request that saves a text.
func (k *kind) call(p *EditPage) *Call {
	c := &Call{Method: http.MethodPost, Path: k.path, MediaType: mediaType(p.Text), Body: []byte(p.Text)}
	if p.ID != "" {
		c.Method, c.Path = http.MethodPatch, k.path+"/"+p.ID
	}
	return c
}

// look asks what is to be said of a text.
func (k *kind) look(r *Request, p *EditPage, do string) error {
	resp, err := r.check(k.call(p))
	if err := p.take(resp, err); err != nil {
		return err
	}
	p.Checked = err == nil
	return k.more(r, p, do)
}

// take adds what the API says of a text. It returns the error if it is not about the text.
func (p *EditPage) take(resp *Response, err error) error {
	if err == nil {
		var saved struct {
			Warnings []millrace.Failure `json:"warnings"`
		}
		if err := json.Unmarshal(resp.Body, &saved); err != nil {
			return err
		}
		for _, w := range resp.Warnings {
			saved.Warnings = append(saved.Warnings, millrace.Failure{Message: w})
		}
		p.Problems = place(p.Text, saved.Warnings, true)
		return nil
	}
	var known *millrace.Error
	switch {
	case !errors.As(err, &known) || known.Kind == millrace.KindNotFound && len(known.Failures) == 0:
		return err
	case len(known.Failures) == 0:
		p.Message = known.Message
	default:
		p.Problems = place(p.Text, known.Failures, false)
	}
	return nil
}

// submit checks a text, tries its condition, or saves it. Whatever is wrong, the text stays.
func (k *kind) submit(r *Request) (*Page, error) {
	id, err := r.ID()
	if err != nil {
		return nil, err
	}
	form, err := r.Sent()
	if err != nil {
		return nil, err
	}
	p := k.page(r, id)
	p.Text, p.Base = tidy(form.Get("text")), form.Get("base")
	do := form.Get("do")
	if id != "" {
		err := r.DB.View(r.Context(), func(tx *store.Tx) error {
			now, err := k.read(r.Context(), r, tx, id)
			if err == nil {
				p.Label = now.label
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if do != "save" {
		err := k.look(r, p, do)
		if form.Get("part") != "" {
			p.Text = "" // the browser has it
		}
		return k.shown(p, 0), err
	}
	resp, err := r.save(k.call(p), p.Base)
	if p.ID != "" && millrace.KindOf(err) == millrace.KindConflict && err != nil {
		resp, err = k.overtaken(r, p, err)
	}
	if err == nil {
		var made struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(resp.Body, &made); err != nil {
			return nil, err
		}
		return &Page{To: r.Base + "/" + k.list + "/" + made.ID + "?done=saved"}, nil
	}
	p.Rejected = true
	status := rest.StatusOf(millrace.KindOf(err))
	if err := p.take(nil, err); err != nil {
		return nil, err
	}
	return k.shown(p, status), k.more(r, p, do)
}

// overtaken shows what somebody else has saved meanwhile, beside the text. Saving again replaces it. A version with the same text, such as
// that of a pause, is no conflict.
func (k *kind) overtaken(r *Request, p *EditPage, rejected error) (*Response, error) {
	var now, was *stored
	err := r.DB.View(r.Context(), func(tx *store.Tx) error {
		var err error
		if now, err = k.read(r.Context(), r, tx, p.ID); err != nil || k.version == nil {
			return err
		}
		n, err := strconv.ParseInt(p.Base, 10, 64)
		if err != nil {
			return nil //nolint:nilerr // the form had no version
		}
		was, err = k.version(r.Context(), r, tx, p.ID, n)
		if millrace.KindOf(err) == millrace.KindNotFound {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	theirs, err := now.write(formOf(p.Text))
	if err != nil {
		return nil, err
	}
	if was != nil {
		before, err := was.write(formOf(p.Text))
		if err != nil {
			return nil, err
		}
		if before == theirs {
			return r.save(k.call(p), now.base)
		}
	}
	p.Base = now.base
	p.Conflict = compare("Stored now", theirs, "Your text", p.Text)
	return nil, rejected
}
