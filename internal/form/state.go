package form

import (
	"context"
	"log/slog"
	"net/url"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/config"
)

// Page is the view of a form.
type Page struct {
	Steps  []Step
	Ticket string
}

// Step is a part of a form.
type Step struct {
	Label, Help string
	Fields      []Field
	Hidden      bool // its run_if does not hold
}

// Field is the view of a field.
type Field struct {
	Name, Label, Type, Placeholder, Help string

	Required  bool
	Disabled  bool
	Why       string   // it is disabled, in words of the config or of the product; empty: none are given
	Waits     bool     // it is disabled until the fields that it depends on have values
	Fixed     string   // what is chosen stays so, with why
	Needs     []string // the fields whose answers it follows from
	Value     string   // of a text or a number
	On        bool     // of a checkbox
	Kept      bool     // a password is stored; without another one it stays
	Listed    bool     // its options come from the provider
	Options   []Option // what is chosen comes first, where they are listed
	Search    string   // what is searched for
	Next      string   // where more options begin
	Found     bool
	Failure   string // a key of the catalogues, or a sentence: what is wrong with the answer
	ListError string // why there are no options, in the provider's words

	data []byte // what its options are sealed for
}

// Request is what was sent with a form.
type Request struct {
	Ticket string
	Values url.Values        // by the names of fields
	Search map[string]string // what to search for in the lists, by the names of fields
	Strict bool              // what is wrong with an answer counts
	Each   func(*Field)      // is called with every field, in order; may be nil
	Only   func(*Field) bool // the lists to look at; nil: all
	From   map[string]string // where the lists begin, by the names of fields
}

// reader goes through the fields of a form, in their order.
type reader struct {
	forms    *Forms
	visit    *Visit
	ticket   *ticket
	request  *Request // nil: the form is shown for the first time
	scope    *expr.Object
	answers  map[string]expr.Value // of the fields so far
	secret   map[string]bool       // answers that nothing but the field itself sees
	store    map[string]expr.Value // what is to be stored
	failures []millrace.Failure
}

// read reads a request, or what is stored, as a page without its lists.
func (f *Forms) read(ctx context.Context, v *Visit, sealed string, request *Request) (*Page, *reader, error) {
	t, err := f.readTicket(v, sealed)
	if err != nil {
		return nil, nil, err
	}
	r := &reader{forms: f, visit: v, ticket: t, request: request, answers: map[string]expr.Value{}, secret: map[string]bool{}, store: map[string]expr.Value{}, scope: expr.CopyObject(v.public, scopeRoom)}
	if further, err := expr.ParseJSON(t.Further); err == nil && len(t.Further) > 0 {
		if o, ok := further.(*expr.Object); ok {
			for name, member := range o.All() {
				r.scope.Set(name, member)
			}
		}
	}
	p := &Page{Ticket: sealed}
	for i := range v.steps {
		step := Step{Label: v.steps[i].Form.Label, Help: v.steps[i].Form.Help}
		if step.Hidden, err = r.hidden(ctx, &v.steps[i]); err != nil {
			return nil, nil, err
		}
		for j := range v.steps[i].Form.Fields {
			if field := r.field(ctx, &v.steps[i].Form.Fields[j], step.Hidden); field != nil {
				if request != nil && request.Each != nil {
					request.Each(field)
				}
				step.Fields = append(step.Fields, *field)
			}
		}
		p.Steps = append(p.Steps, step)
	}
	return p, r, nil
}

// hidden evaluates the run_if of a step over the context and the answers so far.
func (r *reader) hidden(ctx context.Context, step *config.ActionStep) (bool, error) {
	if step.RunIf == nil {
		return false, nil
	}
	scope := expr.CopyObject(r.scope, scopeRoom)
	scope.Set("context", r.scope)
	v, err := r.forms.eval(ctx, step.RunIf, scope)
	if err != nil {
		r.forms.Logger.WarnContext(ctx, "the run_if of a form fails", slog.String("integration", r.visit.Integration), slog.Any("err", err))
		return false, &Error{Message: "form_broken", Visit: r.visit}
	}
	return !expr.Truthy(v), nil
}

// field reads a field. Nil: there is nothing of it to show.
func (r *reader) field(ctx context.Context, in *config.FormField, hidden bool) *Field {
	out := &Field{
		Name: in.Name, Label: in.Label, Type: in.Type, Placeholder: in.Placeholder, Help: in.Help, Required: in.Required, Needs: in.Inputs,
		Listed: in.Source != nil, Found: true,
	}
	if out.Label == "" {
		out.Label = in.Name
	}
	r.disable(in, out)
	out.data = r.data(in)
	value, failure := r.stored(in), ""
	switch {
	case hidden, out.Waits:
		value = nil
	case in.Type == config.FieldHidden:
		if value = r.initial(in); value != nil {
			r.store[in.Name] = value
		}
	case out.Disabled:
		if r.request != nil && r.request.Strict && len(r.request.Values[in.Name]) > 0 {
			failure = "form_fixed"
		}
		if _, has := r.visit.has[in.Name]; !has && value != nil {
			r.store[in.Name] = value
		}
	case r.request != nil:
		value, failure = r.posted(in, out)
		if failure == "" {
			value, failure = r.judge(ctx, in, value, out.Kept)
		}
	}
	if in.Type == config.FieldMulti && !hidden {
		out.Fixed = r.ticket.Prevent[in.Name]
	}
	r.show(in, out, value)
	r.note(in, value, hidden)
	if failure != "" && r.request != nil && r.request.Strict {
		out.Failure = failure
		r.failures = append(r.failures, millrace.Failure{Path: in.Name, Message: failure})
	}
	if in.Type == config.FieldHidden {
		return nil
	}
	return out
}

// note remembers an answer for the fields behind it. A password is seen by none of them.
func (r *reader) note(in *config.FormField, value expr.Value, hidden bool) {
	if !isEmpty(value) {
		r.answers[in.Name] = value
	}
	_, off := value.(bool)
	switch {
	case in.Type == config.FieldPassword:
		r.secret[in.Name] = true
	case !isEmpty(value) || off:
		r.scope.Set(in.Name, value)
	case !hidden:
		r.scope.Delete(in.Name)
	}
}

// disable finds out whether a field can be changed.
func (r *reader) disable(in *config.FormField, out *Field) {
	if why, fixed := r.ticket.Fixed[in.Name]; fixed {
		out.Disabled, out.Why = true, shorten(why, maxDetail)
		return
	}
	if in.Disabled {
		out.Disabled, out.Why = true, in.DisabledText
		return
	}
	for _, name := range in.DependsOn {
		if r.answers[name] == nil {
			out.Disabled, out.Waits, out.Why = true, true, in.DisabledText
		}
	}
}

// data is what the options of a field are sealed for.
func (r *reader) data(in *config.FormField) []byte {
	parts := []string{in.Name}
	for _, name := range in.Inputs {
		raw, err := expr.EncodeJSON(r.answers[name])
		if err != nil {
			raw = nil
		}
		parts = append(parts, string(raw))
	}
	return r.visit.about("option", parts...)
}

// stored is what the context has for a field, else what it has at first. What is secret is not shown.
func (r *reader) stored(in *config.FormField) expr.Value {
	if in.Type == config.FieldPassword {
		return nil
	}
	if v, ok := r.visit.public.Get(in.Name); ok && v != nil && v != (expr.Null{}) {
		return v
	}
	return r.initial(in)
}

// initial is what a field has at first.
func (r *reader) initial(in *config.FormField) expr.Value {
	v, err := in.Initial.Render(r.scope)
	if text, ok := v.(string); ok && strings.Contains(text, "{{") {
		v = nil // a placeholder without a value
	}
	if err != nil || v == (expr.Null{}) {
		return nil
	}
	return v
}

// stays returns the stored choices of a field that cannot be taken back.
func (r *reader) stays(in *config.FormField) []expr.Value {
	if _, prevented := r.ticket.Prevent[in.Name]; !prevented || in.Type != config.FieldMulti {
		return nil
	}
	return slices.Clone(recordsOf(r.stored(in)))
}
