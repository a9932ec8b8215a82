package page

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/connect"
	"github.com/millrace/millrace/internal/form"
)

// formProof is what allows a browser to fill in the form of an account: the token of the account; the session of that browser which has
// connected it; or the link token and the number of the page in a frame that has begun it.
type formProof struct{ Token, Session, Link, Page string }

func formProofOf(q url.Values) formProof {
	return formProof{q.Get("integrated_account_session_token"), q.Get("session"), q.Get("link_token"), q.Get("page")}
}

// formFollows reports whether the customer goes on to a form.
func (h *Handler) formFollows(r *http.Request, s *connect.Status) bool {
	return !s.SkipForm && s.Current && h.forms.Follows(r.Context(), s.Link.Environment.ID, s.AccountID)
}

// visit finds the form of a proof, and the link token that led to it, if one did. With an error they may be there as well.
func (h *Handler) visit(r *http.Request, p formProof) (*form.Visit, *connect.Link, error) {
	if p.Token != "" {
		v, err := h.forms.Open(r.Context(), p.Token)
		return v, nil, err
	}
	var s *connect.Status
	var err error
	switch {
	case p.Page != "":
		l, wrong := h.link(r, proof{Token: p.Link, Session: p.Session})
		if l == nil {
			err = wrong
			break
		}
		s, err = h.flow.LookFrom(r.Context(), l, p.Page) // whatever is wrong with the link: it was used
	case p.Session != "":
		s, err = h.flow.Look(r.Context(), p.Session, h.cookie(r))
	default:
		return nil, nil, form.ErrToken
	}
	if _, ok := errors.AsType[*connect.Error](err); ok {
		return nil, nil, form.ErrToken
	}
	if err != nil {
		return nil, nil, err
	}
	v, err := h.forms.OpenAfter(r.Context(), s)
	return v, s.Link, err
}

// origins are those of the pages that may show a form. v may be nil.
func origins(v *form.Visit, l *connect.Link) []string {
	switch {
	case l != nil:
		return l.Origins()
	case v != nil:
		return v.Origins()
	}
	return nil
}

// openForm shows the form with what is stored.
func (h *Handler) openForm(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	p := formProofOf(q)
	v, l, err := h.visit(r, p)
	if err != nil {
		h.formProblem(w, r, v, l, err)
		return
	}
	ticket, err := h.forms.Ticket(v, form.Options{
		AdditionalContext: q.Get("truto_additional_context"), PreventDeselect: q.Get("truto_prevent_deselect"), DisabledFields: q.Get("truto_disabled_fields"),
	})
	var shown *form.Page
	if err == nil {
		shown, err = h.forms.Show(r.Context(), v, ticket)
	}
	if err != nil {
		h.formProblem(w, r, v, l, err)
		return
	}
	h.writeForm(w, r, http.StatusOK, &view{Form: shown, FormProof: p}, v, l)
}

func (h *Handler) writeForm(w http.ResponseWriter, r *http.Request, status int, page *view, v *form.Visit, l *connect.Link) {
	page.Kind, page.Title, page.Brand, page.Label = "fields", "form_title", brandOf(v.Environment), v.Label
	page.Options.Iframe = r.FormValue("iframe")
	h.write(w, r, status, page, origins(v, l))
}

// formProblem writes the page about why there is no form.
func (h *Handler) formProblem(w http.ResponseWriter, r *http.Request, v *form.Visit, l *connect.Link, err error) {
	page := &view{Kind: "failed", Title: "form_failed", Problem: "internal"}
	status := http.StatusBadRequest
	known, ok := errors.AsType[*form.Error](err)
	switch {
	case ok:
		page.Problem, page.Detail = known.Message, known.Detail
		if v == nil {
			v = known.Visit
		}
		if known.Retry && r.Method == http.MethodGet {
			page.Retry = r.URL.RequestURI()
		}
	case errors.Is(err, form.ErrBusy):
		page.Problem, status = "form_busy", http.StatusTooManyRequests
	default:
		status = http.StatusInternalServerError
		if millrace.KindOf(err) == millrace.KindUnavailable {
			status = http.StatusServiceUnavailable
		}
		h.logger.ErrorContext(r.Context(), "the form page failed", slog.Any("err", err))
	}
	message := map[string]any{"result": "error", "error_type": "rapid_form_error", "error": h.english(page.Problem, page.Detail)}
	if v != nil {
		page.Brand = brandOf(v.Environment)
		if v.Integration != "" {
			message["integration"] = v.Integration
		}
	}
	if o := origins(v, l); len(o) > 0 {
		page.Result = resultFor(o, message)
	}
	if l != nil {
		page.Target = target(l, url.Values{"result": {"error"}, "error_type": {"rapid_form_error"}})
	}
	h.write(w, r, status, page, origins(v, l))
}

// english is what a product learns of an error.
func (h *Handler) english(key, detail string) string {
	text, ok := h.texts.all[0][key]
	if !ok {
		text = key
	}
	if detail != "" {
		text = strings.TrimSuffix(text, ".") + ": " + detail
	}
	return text
}

// requestOf reads a form that was sent.
func requestOf(sent url.Values) *form.Request {
	request := &form.Request{Ticket: sent.Get("ticket"), Values: fields(sent), Search: map[string]string{}, From: map[string]string{}}
	for name, values := range sent {
		if field, ok := strings.CutPrefix(name, "search."); ok {
			request.Search[field] = values[0]
		}
		if field, ok := strings.CutPrefix(name, "from."); ok && sent.Get("do") == "more:"+field {
			request.From[field] = values[0]
		}
	}
	return request
}

// submitForm takes a form, or looks at its lists again.
func (h *Handler) submitForm(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		h.problem(w, r, nil, &connect.Error{Type: "rapid_form_error", Message: "form_invalid"})
		return
	}
	p := formProofOf(r.PostForm)
	v, l, err := h.visit(r, p)
	if err != nil {
		h.formProblem(w, r, v, l, err)
		return
	}
	request := requestOf(r.PostForm)
	page := &view{FormProof: p}
	status := http.StatusOK
	if do := r.PostForm.Get("do"); do == "" || do == "save" {
		page.Form, err = h.forms.Submit(r.Context(), v, request)
		page.Problem, status = "form_check", http.StatusUnprocessableEntity
	} else {
		page.Form, err = h.forms.Look(r.Context(), v, request)
	}
	switch {
	case err != nil:
		h.formProblem(w, r, v, l, err)
	case page.Form != nil:
		h.writeForm(w, r, status, page, v, l)
	default:
		h.saved(w, r, v, l)
	}
}

// saved tells that the answers are stored.
func (h *Handler) saved(w http.ResponseWriter, r *http.Request, v *form.Visit, l *connect.Link) {
	page := &view{Kind: "saved", Title: "form_saved", Brand: brandOf(v.Environment)}
	page.Result = resultFor(origins(v, l), map[string]any{"result": "success", "integration": v.Integration, "integrated_account_id": string(v.AccountID)})
	if l != nil {
		page.Target = target(l, url.Values{"result": {"success"}, "integration": {v.Integration}, "integrated_account_id": {string(v.AccountID)}})
	}
	h.write(w, r, http.StatusOK, page, origins(v, l))
}

// shownField is a field for the script.
type shownField struct {
	Name     string        `json:"name"`
	Disabled bool          `json:"disabled"`
	Why      string        `json:"why"`
	Options  []shownOption `json:"options,omitempty"`
	Next     string        `json:"next"`
	More     string        `json:"more"`
	Status   string        `json:"status"`
	Error    string        `json:"error"`
}

type shownOption struct {
	Token string `json:"token"`
	Label string `json:"label"`
	Sub   string `json:"sub,omitempty"`
	On    bool   `json:"on,omitempty"`
	Fixed bool   `json:"fixed,omitempty"`
}

// formOptions tells the script of a form what follows from an answer that was changed, or a part of a list.
func (h *Handler) formOptions(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Cache-Control", "no-store")
	head.Set("Content-Type", "application/json")
	head.Set("X-Content-Type-Options", "nosniff")
	out := struct {
		Fields []shownField `json:"fields"`
		Hidden []bool       `json:"hidden"`
		Error  string       `json:"error,omitempty"`
	}{Fields: []shownField{}, Hidden: []bool{}}
	lang, say := h.texts.of(r.Header.Get("Accept-Language"))
	head.Set("Content-Language", lang)
	status, err := http.StatusOK, r.ParseForm()
	var page *form.Page
	wanted := map[string]bool{r.PostForm.Get("list"): true}
	if err == nil {
		page, err = h.lists(r.Context(), r, wanted)
	}
	if err != nil {
		status, out.Error = h.listProblem(r.Context(), err, say)
		page = &form.Page{}
	}
	for _, step := range page.Steps {
		out.Hidden = append(out.Hidden, step.Hidden)
		for i := range step.Fields {
			if f := &step.Fields[i]; wanted[f.Name] {
				out.Fields = append(out.Fields, shownOf(f, say))
			}
		}
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(out) // the browser may have left
}

// lists looks at the list that was asked for, or at those that follow from a changed answer, which it adds to the wanted ones.
func (h *Handler) lists(ctx context.Context, r *http.Request, wanted map[string]bool) (*form.Page, error) {
	v, _, err := h.visit(r, formProofOf(r.PostForm))
	if err != nil {
		return nil, err
	}
	changed := r.PostForm.Get("changed")
	request := requestOf(r.PostForm)
	request.Only = func(f *form.Field) bool { return wanted[f.Name] }
	request.Each = func(f *form.Field) {
		if slices.ContainsFunc(f.Needs, func(name string) bool { return name == changed || changed != "" && wanted[name] }) {
			wanted[f.Name] = true
		}
	}
	return h.forms.Look(ctx, v, request)
}

func (h *Handler) listProblem(ctx context.Context, err error, say func(string) string) (int, string) {
	if known, ok := errors.AsType[*form.Error](err); ok {
		return http.StatusBadRequest, say(known.Message)
	}
	if errors.Is(err, form.ErrBusy) {
		return http.StatusTooManyRequests, say("form_busy")
	}
	h.logger.ErrorContext(ctx, "the options of a form failed", slog.Any("err", err))
	return http.StatusInternalServerError, say("internal")
}

func shownOf(f *form.Field, say func(string) string) shownField {
	out := shownField{Name: f.Name, Disabled: f.Disabled, Why: why(f, say), Next: f.Next, More: more(f, say), Status: found(f, say), Error: listError(f, say)}
	for _, o := range f.Options {
		out.Options = append(out.Options, shownOption{o.Token, o.Label, o.Sub, o.On, o.Fixed})
	}
	return out
}

// why says why a field, or what is chosen of it, cannot be changed.
func why(f *form.Field, say func(string) string) string {
	switch {
	case f.Why != "":
		return f.Why
	case f.Waits:
		return say("form_first")
	case f.Disabled:
		return say("form_unchangeable")
	}
	return f.Fixed
}

func more(f *form.Field, say func(string) string) string {
	if !f.Found {
		return say("form_further")
	}
	return say("form_more")
}

// found says that a list has nothing.
func found(f *form.Field, say func(string) string) string {
	switch {
	case f.Disabled || f.ListError != "" || !f.Listed:
		return ""
	case !f.Found:
		return say("form_none_yet")
	case !slices.ContainsFunc(f.Options, func(o form.Option) bool { return !o.On }) && f.Next == "" && (f.Search != "" || len(f.Options) == 0):
		return say("none")
	}
	return ""
}

func listError(f *form.Field, say func(string) string) string {
	if f.ListError == "" {
		return ""
	}
	return say("form_list") + " " + f.ListError
}

// Why, More, Found and ListError are what the template shows of a field.
func (v *view) Why(f *form.Field) string { return why(f, v.T) }

// More is what the button for more options says.
func (v *view) More(f *form.Field) string { return more(f, v.T) }

// Found says that a list has nothing.
func (v *view) Found(f *form.Field) string { return found(f, v.T) }

// ListError says why there is no list.
func (v *view) ListError(f *form.Field) string { return listError(f, v.T) }

// Waits reports whether a field waits for the answer to another: without a script the customer asks for its options.
func (v *view) Waits() bool {
	for _, step := range v.Form.Steps {
		if slices.ContainsFunc(step.Fields, func(f form.Field) bool { return len(f.Needs) > 0 }) {
			return true
		}
	}
	return len(v.Form.Steps) > 1
}
