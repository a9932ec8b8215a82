package settings

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace/millrace"
)

// Field is a field of a form about an environment.
type Field struct {
	Path    string // of the member in the API
	Label   string
	Kind    string // text, number, lines
	Note    string
	Value   string
	Theirs  string // what another user has saved meanwhile, where it differs
	Differs bool
	Problem string
}

// ID is that of the input in the page.
func (f Field) ID() string { return strings.ReplaceAll(f.Path, ".", "-") }

func nameField() Field {
	return Field{Path: "name", Label: "Name", Kind: "text", Note: "No other environment has it, whatever its case and spacing."}
}

func weightField() Field {
	return Field{
		Path: "weight", Label: "Weight", Kind: "number",
		Note: "Its part of what environments share: beside one of 100, one of 200 gets twice as much of the workers and of the database.",
	}
}

// fields are those of the settings of an environment.
func fields(v *millrace.Environment) []Field {
	out := []Field{
		nameField(), weightField(),
		{Path: "connect.name", Label: "Name of your product", Kind: "text", Note: "As customers see it on the page where they connect accounts; empty: the name of the environment."},
		{Path: "connect.logo_url", Label: "Logo", Kind: "text", Note: "An https address; empty: none."},
		{Path: "connect.color", Label: "Colour", Kind: "text", Note: "Of buttons and links: # and six hexadecimal digits, such as #0b5fff; empty: blue."},
		{Path: "connect.origins", Label: "Pages that may show it", Kind: "lines", Note: "Origins such as https://app.example.com, one a line. Only they may have the page in a frame or open it, and are told the outcome."},
		{Path: "connect.callback_url", Label: "Callback address", Kind: "text", Note: "An address of your own that providers send customers to instead of the server's; empty: the server's."},
	}
	values := map[string]string{
		"name": v.Name, "weight": strconv.FormatInt(v.Weight, 10), "connect.name": v.Connect.Name, "connect.logo_url": v.Connect.LogoURL,
		"connect.color": v.Connect.Color, "connect.origins": strings.Join(v.Connect.Origins, "\n"), "connect.callback_url": v.Connect.CallbackURL,
	}
	for i := range out {
		out[i].Value = values[out[i].Path]
	}
	return out
}

// read takes what was sent.
func read(fields []Field, form func(string) string) {
	for i := range fields {
		f := &fields[i]
		f.Value = strings.TrimSpace(strings.ReplaceAll(form(f.Path), "\r\n", "\n"))
	}
}

// body is what fields say, as the API takes it.
func body(fields []Field) map[string]any {
	out, connect := map[string]any{}, map[string]any{}
	for i := range fields {
		f := &fields[i]
		var value any = f.Value
		switch f.Kind {
		case "number":
			n, err := strconv.ParseInt(f.Value, 10, 64)
			if err != nil {
				f.Problem = "must be a whole number"
			}
			value = n
		case "lines":
			value = append([]string{}, strings.FieldsFunc(f.Value, func(c rune) bool { return c == ',' || c == '\n' || c == ' ' || c == '\t' })...)
		}
		if name, ok := strings.CutPrefix(f.Path, "connect."); ok {
			connect[name] = value
		} else {
			out[f.Path] = value
		}
	}
	if len(connect) > 0 {
		out["connect"] = connect
	}
	return out
}

// wrong reports whether a field has a problem.
func wrong(fields []Field) bool {
	return slices.ContainsFunc(fields, func(f Field) bool { return f.Problem != "" })
}

// reject puts what the API says at its fields. What is about none of them is returned. An error that is ours is returned as such.
func reject(fields []Field, err error) (string, error) {
	var known *millrace.Error
	if !errors.As(err, &known) || known.Kind != millrace.KindInvalid && known.Kind != millrace.KindConflict {
		return "", err
	}
	if known.Kind == millrace.KindConflict { // an environment has the name already
		fields[0].Problem = known.Message
		return "", nil
	}
	var rest []string
	for _, f := range known.Failures {
		i := slices.IndexFunc(fields, func(field Field) bool { return field.Path == f.Path || f.IsBelow(field.Path) })
		switch {
		case i < 0:
			rest = append(rest, strings.TrimSpace(f.Path+" "+f.Message))
		case fields[i].Kind == "lines" && strings.HasPrefix(f.Path, fields[i].Path+"["):
			fields[i].Problem = cmp.Or(fields[i].Problem, line(fields[i].Path, f.Path)+f.Message)
		default:
			fields[i].Problem = cmp.Or(fields[i].Problem, f.Message)
		}
	}
	if len(known.Failures) == 0 {
		rest = append(rest, known.Message)
	}
	return strings.Join(rest, "; "), nil
}

// line says which line of a field a failure is about.
func line(field, path string) string {
	number, _, _ := strings.Cut(strings.TrimPrefix(path, field+"["), "]")
	n, err := strconv.Atoi(number)
	if err != nil {
		return ""
	}
	return "number " + strconv.Itoa(n+1) + " "
}
