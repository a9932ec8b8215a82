package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/field"
)

// The types of the fields of a form.
const (
	FieldText     = "text"
	FieldPassword = "password"
	FieldNumber   = "number"
	FieldCheckbox = "checkbox"
	FieldSingle   = "single_select"
	FieldMulti    = "multi_select"
	FieldHidden   = "hidden" // its default is stored and not shown
)

func fieldTypes() []string {
	return []string{FieldText, FieldPassword, FieldNumber, FieldCheckbox, "boolean", FieldSingle, FieldMulti, FieldHidden}
}

// Form is a step of the action post_connect_user_form: what a customer is asked for when the account is active.
type Form struct {
	Label  string
	Help   string
	Fields []FormField
	Wrong  error // what is wrong with it, of KindInvalid; of a stored config only

	at field.Field
}

// FormField is a field of a form. Its name is the member of the account's context that the answer becomes.
type FormField struct {
	Input
	Path         string
	Type         string // text, password, number, checkbox, single_select, multi_select or hidden
	Label        string
	Placeholder  string
	Help         string
	Required     bool
	Disabled     bool   // it is shown, and cannot be changed
	DisabledText string // while it is, or while a field that it depends on is empty
	DependsOn    []string
	Inputs       []string        // the fields that its list follows from: DependsOn, and what the placeholders of its source name
	Initial      *field.Template // what it has at first; nil: nothing
	Options      []FormOption    // of a select without a source
	Source       *DataSource     // of a select; nil: Options
	Validation   *expr.Program   // nil: any value
	Change       *expr.Program   // makes the stored value; nil: unchanged
}

// FormOption is what a select offers.
type FormOption struct {
	Value expr.Value // a text, a number or a boolean
	Label string
}

// DataSource is where a select has its options from: a method of a resource of the integration.
type DataSource struct {
	ResourceCall
	Expression            *expr.Program // over a page, the records that are offered; nil: all
	Value, Label, SubText string        // dotted paths in a record
	Searches              bool          // the provider finds records by {{search}}
}

// Forms returns the steps of post_connect_user_form that are forms.
func (c *Config) Forms() []ActionStep {
	var out []ActionStep
	for _, step := range c.Actions[ActionForm] {
		if step.Form != nil {
			out = append(out, step)
		}
	}
	return out
}

var fieldName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,99}$`)

// maxFields bounds how many fields a form may have.
const maxFields = 100

func parseForm(f field.Field, strict bool) *Form {
	if !strict {
		f.Found = &field.Findings{}
	}
	f.Members()
	f.Known("fields", "label", "help_text")
	form := &Form{Label: f.Get("label").Text(), Help: f.Get("help_text").Text(), at: f}
	fields := f.Get("fields").List()
	if len(fields) == 0 {
		f.Get("fields").Report("must have fields")
	}
	if len(fields) > maxFields {
		f.Get("fields").Report(fmt.Sprintf("has more than %d fields", maxFields))
		fields = nil
	}
	for _, item := range fields {
		form.Fields = append(form.Fields, parseFormField(item))
	}
	return form
}

func parseFormField(f field.Field) FormField {
	f.Members()
	f.Known("name", "type", "label", "help_text", "placeholder", "required", "default", "disabled", "disabled_text", "depends_on", "data_source", "options",
		"format", "pattern", "transform", "validation_expression", "transform_expression", "secret")
	out := FormField{
		Path: f.Path, Type: f.Get("type").OneOf(FieldText, fieldTypes()...), Label: f.Get("label").Text(), Placeholder: f.Get("placeholder").Text(),
		Help: f.Get("help_text").Text(), Required: f.Get("required").Bool(), Disabled: f.Get("disabled").Bool(), DisabledText: f.Get("disabled_text").Text(),
		DependsOn: texts(f.Get("depends_on")), Initial: f.Get("default").Template(),
		Validation: f.Get("validation_expression").Program(), Change: f.Get("transform_expression").Program(),
	}
	switch {
	case out.Type == "boolean":
		out.Type = FieldCheckbox
	case out.Type == FieldText && f.Get("secret").Bool():
		out.Type = FieldPassword
	}
	selects := out.Type == FieldSingle || out.Type == FieldMulti
	source := f.Get("data_source")
	if selects {
		out.Input = Input{Name: f.Get("name").Need()}
	} else {
		out.Input = parseInput(f)
		for _, name := range []string{"options", "data_source"} {
			if f.Get(name).Present() {
				f.Get(name).Idle("has no effect: only " + FieldSingle + " and " + FieldMulti + " have options")
			}
		}
	}
	if out.Type == FieldNumber {
		out.format = "number"
	}
	if !fieldName.MatchString(out.Name) && out.Name != "" {
		f.Get("name").Report("must be a name of letters, digits, _ and -, at most 100")
	}
	if out.Name == "oauth" || out.Name == "environment_variables" || out.Name == "context" || out.Name == "search" {
		f.Get("name").Report(out.Name + " has a meaning of its own; choose another name")
	}
	switch {
	case selects && source.Present():
		out.Source = parseSource(source, f.Get("options"))
	case selects:
		out.Options = parseFormOptions(f.Get("options"))
	}
	return out
}

func parseFormOptions(f field.Field) []FormOption {
	var out []FormOption
	for _, item := range f.List() {
		option := FormOption{Value: item.Value}
		if _, ok := item.Value.(*expr.Object); ok {
			item.Known("value", "label")
			option.Value, option.Label = item.Get("value").Value, item.Get("label").Text()
		}
		text, ok := plainText(option.Value)
		if !ok || text == "" {
			item.Report("must be a text, a number or a boolean, or have one as its value")
			continue
		}
		if option.Label == "" {
			option.Label = text
		}
		out = append(out, option)
	}
	if len(out) == 0 {
		f.Report("must list the options, or name a data_source")
	}
	return out
}

// parseSource reads where a select has its options from, and which members of a record are shown.
func parseSource(f, paths field.Field) *DataSource {
	f.Members()
	f.Known("type", "resource", "method", "id", "query", "body", "expression")
	if f.Get("type").OneOf("proxy", "proxy", "unified") == "unified" {
		f.Get("type").Report("there are no unified models here; use proxy with a resource of the integration")
	}
	s := &DataSource{
		ResourceCall: ResourceCall{
			Resource: f.Get("resource").Need(), Method: "list",
			ID: f.Get("id").Template(), Query: f.Get("query").Template(), Body: f.Get("body").Template(),
		},
		Expression: f.Get("expression").Program(), Value: "id", Label: "name",
	}
	if f.Get("method").Present() {
		s.Method = f.Get("method").Need()
	}
	for _, t := range s.templates() {
		s.Searches = s.Searches || t.Reads("search")
	}
	if !paths.Present() {
		return s
	}
	paths.Members()
	paths.Known("value", "label", "subText", "sub_text")
	s.Value, s.Label = paths.Get("value").Need(), paths.Get("label").Text()
	if s.Label == "" {
		s.Label = s.Value
	}
	s.SubText = paths.Get("subText", "sub_text").Text()
	return s
}

func (s *DataSource) templates() []*field.Template { return []*field.Template{s.ID, s.Query, s.Body} }

// checkForms checks what the fields of all forms have to do with each other, and with the resources of the integration.
func (c *Config) checkForms(strict bool) {
	var names []string
	for _, step := range c.Actions[ActionForm] {
		if step.Form == nil {
			continue
		}
		for i := range step.Form.Fields {
			f := &step.Form.Fields[i]
			at := field.Field{Found: step.Form.at.Found, Path: f.Path}
			if slices.Contains(names, f.Name) && f.Name != "" {
				at.Found.List = append(at.Found.List, millrace.Failure{Path: f.Path + ".name", Message: "there is a field of this name already"})
			}
			f.relate(at, names)
			c.checkSource(f, at)
			names = append(names, f.Name)
		}
		if !strict {
			step.Form.Wrong = millrace.InvalidAll(step.Form.at.Found.List)
		}
	}
}

// relate checks the fields that a field depends on, which come before it.
func (f *FormField) relate(at field.Field, before []string) {
	for i, name := range f.DependsOn {
		if !slices.Contains(before, name) {
			on := field.Field{Found: at.Found, Path: fmt.Sprintf("%s.depends_on[%d]", f.Path, i)}
			on.Suggest(name, before, "there is no field %q before this one", name)
		}
	}
	f.Inputs = slices.Clone(f.DependsOn)
	if f.Source == nil {
		return
	}
	for _, name := range before {
		reads := func(t *field.Template) bool { return t.Reads(name) }
		if !slices.Contains(f.Inputs, name) && slices.ContainsFunc(f.Source.templates(), reads) {
			f.Inputs = append(f.Inputs, name)
		}
	}
}

func (c *Config) checkSource(f *FormField, at field.Field) {
	if f.Source == nil || f.Source.Resource == "" || f.Source.Method == "" {
		return
	}
	if _, err := c.Method(f.Source.Resource, f.Source.Method); err != nil {
		for _, failure := range millrace.FailuresOf("", err) {
			failure.Path = at.Path + ".data_source." + strings.TrimPrefix(failure.Path, ".")
			at.Found.List = append(at.Found.List, failure)
		}
	}
}
