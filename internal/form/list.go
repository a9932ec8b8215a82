package form

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/config"
)

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
