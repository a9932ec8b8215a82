package form

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/jsonata"
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

// posted reads what was sent for a field.
func (r *reader) posted(in *config.FormField, out *Field) (expr.Value, string) {
	sent := r.request.Values[in.Name]
	first := ""
	if len(sent) > 0 {
		first = strings.ReplaceAll(strings.TrimSpace(sent[0]), "\r\n", "\n")
	}
	switch in.Type {
	case config.FieldCheckbox:
		return first == "true", ""
	case config.FieldPassword:
		_, out.Kept = r.visit.has[in.Name]
		if len(sent) > 0 && sent[0] != "" {
			return sent[0], ""
		}
		return nil, ""
	case config.FieldNumber:
		n, ok := expr.Number(first)
		if first == "" || !ok {
			return textOrNil(first), ""
		}
		return n, ""
	case config.FieldSingle, config.FieldMulti:
		return r.choices(in, sent)
	}
	return textOrNil(first), ""
}

func textOrNil(text string) expr.Value {
	if text == "" {
		return nil
	}
	return text
}

// maxChoices bounds how many options may be chosen.
const maxChoices = 1000

// choices reads what was chosen: only what was offered counts.
func (r *reader) choices(in *config.FormField, sent []string) (expr.Value, string) {
	failure, values := "", r.stays(in)
	if len(sent) > maxChoices {
		return nil, "form_many"
	}
	for _, token := range sent {
		if token == "" {
			continue
		}
		v, ok := r.offered(in, token)
		if !ok {
			failure = "form_choice"
			continue
		}
		if !slices.ContainsFunc(values, func(known expr.Value) bool { return same(known, v) }) {
			values = append(values, v)
		}
	}
	switch {
	case in.Type == config.FieldMulti:
		return jsonata.NewArray(values...), failure
	case len(values) > 1:
		return nil, "form_choice"
	case len(values) == 1:
		return values[0], failure
	}
	return nil, failure
}

func (r *reader) offered(in *config.FormField, token string) (expr.Value, bool) {
	if in.Source != nil {
		o, ok := r.forms.offered(token, r.data(in))
		return o.value, ok
	}
	for _, option := range in.Options {
		if expr.Text(option.Value) == token {
			return option.Value, true
		}
	}
	return nil, false
}

func same(a, b expr.Value) bool { return expr.Text(a) == expr.Text(b) }

// judge checks an answer and returns its stored form.
func (r *reader) judge(ctx context.Context, in *config.FormField, value expr.Value, kept bool) (expr.Value, string) {
	if isEmpty(value) {
		switch {
		case kept:
			return nil, ""
		case in.Required:
			return value, "is required"
		case value != nil:
			r.store[in.Name] = value
		case r.visit.has[in.Name] != nil:
			r.store[in.Name] = expr.Null{}
		}
		return value, ""
	}
	if len(expr.Text(value)) > maxAnswer {
		return nil, "form_long"
	}
	if message := in.Check(value); message != "" {
		return value, message
	}
	if in.Validation != nil {
		if message := r.validate(ctx, in, value); message != "" {
			return value, message
		}
	}
	stored := in.Stored(value)
	if in.Change != nil {
		changed, err := r.forms.eval(ctx, in.Change, r.about(stored))
		if err != nil || changed == nil {
			r.tell(ctx, in, err)
			return value, "form_invalid_answer"
		}
		stored = changed
	}
	r.store[in.Name] = stored
	return value, ""
}

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 64 << 10

// about is what the expressions of a field see.
func (r *reader) about(value expr.Value) *expr.Object {
	scope := expr.CopyObject(r.scope, scopeRoom)
	answers := jsonata.NewObject(len(r.answers))
	for _, name := range slices.Sorted(maps.Keys(r.answers)) {
		if !r.secret[name] {
			answers.Set(name, r.answers[name])
		}
	}
	scope.Set("context", r.visit.public)
	scope.Set("values", answers)
	scope.Set("value", value)
	return scope
}

// validate returns what an expression says is wrong with a value: a text, or that it is not valid.
func (r *reader) validate(ctx context.Context, in *config.FormField, value expr.Value) string {
	v, err := r.forms.eval(ctx, in.Validation, r.about(value))
	if err != nil {
		r.tell(ctx, in, err)
		return "form_invalid_answer"
	}
	switch v := v.(type) {
	case string:
		return shorten(v, maxDetail)
	case nil, expr.Null:
		return ""
	}
	if expr.Truthy(v) {
		return ""
	}
	return "form_invalid_answer"
}

// tell logs that an expression fails, without its error, which may quote a value.
func (r *reader) tell(ctx context.Context, in *config.FormField, err error) {
	code := ""
	if err != nil {
		code = expr.FailureOf("", err).Code
	}
	r.forms.Logger.WarnContext(ctx, "an expression of a form fails", slog.String("integration", r.visit.Integration), slog.String("field", in.Name), slog.String("code", code))
}

func isEmpty(v expr.Value) bool {
	switch v := v.(type) {
	case nil, expr.Null:
		return true
	case string:
		return v == ""
	case bool:
		return !v
	case *expr.Array:
		return v.Len() == 0
	}
	return false
}

// show puts a value into the view of a field.
func (r *reader) show(in *config.FormField, out *Field, value expr.Value) {
	switch in.Type {
	case config.FieldPassword:
		_, out.Kept = r.visit.has[in.Name]
	case config.FieldCheckbox:
		out.On = expr.Truthy(value) && value != "false"
	case config.FieldSingle, config.FieldMulti:
		chosen, fixed := recordsOf(value), r.stays(in)
		isFixed := func(v expr.Value) bool {
			return slices.ContainsFunc(fixed, func(f expr.Value) bool { return same(f, v) })
		}
		for _, o := range in.Options {
			on := slices.ContainsFunc(chosen, func(v expr.Value) bool { return same(v, o.Value) })
			out.Options = append(out.Options, Option{Token: expr.Text(o.Value), Label: o.Label, On: on, Fixed: on && isFixed(o.Value), value: o.Value})
		}
		if in.Source == nil {
			return
		}
		for _, v := range chosen {
			o := Option{Label: shorten(expr.Text(v), maxLabel), On: true, Fixed: isFixed(v), value: v}
			if known, ok := r.labels(in, v); ok {
				o.Label, o.Sub = known.Label, known.Sub
			}
			if o, err := r.forms.seals(o, out.data); err == nil {
				out.Options = append(out.Options, o)
			}
		}
	default:
		if _, composite := value.(*expr.Object); !composite {
			out.Value = expr.Text(value)
		}
	}
}

// labels finds the label that a value was offered with.
func (r *reader) labels(in *config.FormField, v expr.Value) (Option, bool) {
	if r.request == nil {
		return Option{}, false
	}
	for _, token := range r.request.Values[in.Name] {
		if o, ok := r.forms.offered(token, r.data(in)); ok && same(o.value, v) {
			return o, true
		}
	}
	return Option{}, false
}

// fill looks at the lists of a page: all at the same time.
func (f *Forms) fill(ctx context.Context, v *Visit, p *Page, r *reader, request *Request) error {
	if !f.busy.enter(v.bind) {
		return ErrBusy
	}
	defer f.busy.leave(v.bind)
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	var mu sync.Mutex
	var failed error
	slots := make(chan struct{}, maxBusy)
	for i := range p.Steps {
		for j := range p.Steps[i].Fields {
			field := &p.Steps[i].Fields[j]
			in := v.fieldOf(i, field.Name)
			if !field.Listed || field.Disabled && len(field.Options) == 0 || p.Steps[i].Hidden || request != nil && request.Only != nil && !request.Only(field) {
				continue
			}
			search, from := "", ""
			if request != nil {
				search, from = request.Search[field.Name], request.From[field.Name]
			}
			if len(search) > maxSearch {
				search = ""
			}
			wg.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				list, err := f.list(ctx, v, in, r.scope, field.data, search, from)
				mu.Lock()
				defer mu.Unlock()
				switch known, ok := errors.AsType[*Error](err); {
				case ok && request == nil:
					failed = err
				case ok:
					field.ListError = known.Detail
				case err != nil:
					failed = err
				default:
					field.take(list, search)
				}
			})
		}
	}
	wg.Wait()
	return failed
}

// take puts a list behind what is chosen.
func (f *Field) take(list *Listing, search string) {
	f.Search, f.Next, f.Found = search, list.Next, list.Found
	for _, o := range list.Options {
		i := slices.IndexFunc(f.Options, func(known Option) bool { return same(known.value, o.value) })
		if i < 0 {
			f.Options = append(f.Options, o)
			continue
		}
		f.Options[i].Label, f.Options[i].Sub, f.Options[i].Token = o.Label, o.Sub, o.Token
	}
}

func (v *Visit) fieldOf(step int, name string) *config.FormField {
	fields := v.steps[step].Form.Fields
	for i := range fields {
		if fields[i].Name == name {
			return &fields[i]
		}
	}
	return nil
}
