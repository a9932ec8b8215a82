package connect

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/store"
)

// Choice is an integration that a customer can connect.
type Choice struct {
	Name    string
	Label   string
	Logo    string // an https or data address; empty: none
	Methods []Method

	install *millrace.EnvironmentIntegration
	config  *config.Config
}

// Method is a way to connect: a form, or a redirect, or both.
type Method struct {
	Format        string
	Redirects     bool
	Fields        []Field
	Documentation string // an address; empty: none
	Help          string
}

// Field is what a form asks for.
type Field struct {
	Name, Label, Type, Placeholder, Help, Default string

	Required bool
	Options  []Option // of a select
}

// Option is what a select offers.
type Option struct{ Label, Value string }

// Choices returns the integrations that a link token may connect, by their labels. Those that are named by only are the only ones; of
// none, all count.
func (f *Flow) Choices(ctx context.Context, l *Link, only []string) ([]Choice, error) {
	type pair struct {
		install     millrace.EnvironmentIntegration
		integration *millrace.Integration
	}
	var pairs []pair
	err := f.DB.View(ctx, func(tx *store.Tx) error {
		pairs = nil
		for cursor := ""; ; {
			page, err := tx.Installs().List(ctx, l.row.EnvironmentID, millrace.Query{Limit: 200, Cursor: cursor})
			if err != nil {
				return err
			}
			for i := range page.Result {
				integration, err := tx.Integrations().Get(ctx, l.row.EnvironmentID, page.Result[i].IntegrationID)
				if err != nil {
					return err
				}
				pairs = append(pairs, pair{page.Result[i], integration})
			}
			if page.NextCursor == nil {
				return nil
			}
			cursor = *page.NextCursor
		}
	})
	if err != nil {
		return nil, err
	}
	var out []Choice
	for i := range pairs {
		p := &pairs[i]
		own := l.account != nil && l.account.EnvironmentIntegrationID == p.install.ID
		switch {
		case !p.install.IsEnabled, l.account != nil && !own, !own && !p.install.ShowInCatalog,
			len(only) > 0 && !slices.Contains(only, p.integration.Name),
			len(l.row.Options.Integrations) > 0 && !slices.Contains(l.row.Options.Integrations, p.integration.Name):
			continue
		}
		if c, ok := f.choice(l, &p.install, p.integration); ok {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b Choice) int { return strings.Compare(Fold(a.Label), Fold(b.Label)) })
	return out, nil
}

// choice returns an integration as a choice, unless its config is broken or nothing of it can be connected.
func (f *Flow) choice(l *Link, install *millrace.EnvironmentIntegration, integration *millrace.Integration) (Choice, bool) {
	v := &millrace.IntegratedAccount{}
	if l.account != nil {
		v = l.account
	}
	compiled, err := f.Configs(v, install, integration)
	if err != nil {
		return Choice{}, false
	}
	c := Choice{Name: integration.Name, Label: compiled.Label, install: install, config: compiled}
	if c.Label == "" {
		c.Label = integration.Name
	}
	given, err := decode(l.row.Context)
	if err != nil {
		return Choice{}, false
	}
	for format := range compiled.Credentials {
		credential := compiled.Credentials[format]
		c.Methods = append(c.Methods, methodOf(&credential, given))
	}
	slices.SortFunc(c.Methods, func(a, b Method) int { return strings.Compare(order(a.Format), order(b.Format)) })
	c.Logo = logoOf(integration.Config)
	return c, len(c.Methods) > 0
}

// order puts what customers find easiest first.
func order(format string) string {
	if format == config.FormatOAuth2 {
		return ""
	}
	return format
}

func logoOf(raw json.RawMessage) string {
	var look struct {
		Logo string `json:"logo"`
		Icon string `json:"icon"`
	}
	_ = json.Unmarshal(raw, &look) // it is valid, and of any shape
	for _, address := range []string{look.Icon, look.Logo} {
		if strings.HasPrefix(address, "https://") || strings.HasPrefix(address, "data:image/") {
			return address
		}
	}
	return ""
}

// methodOf returns how a kind of credentials is asked for. What the link token gives is not asked for.
func methodOf(credential *config.Credential, given map[string]any) Method {
	m := Method{Format: credential.Format, Redirects: credential.OAuth != nil && credential.OAuth.Authorize.Host != nil}
	text := func(o expr.Value, names ...string) string {
		for _, name := range names {
			if s, ok := expr.Get(o, name).(string); ok {
				return s
			}
		}
		return ""
	}
	m.Documentation, m.Help = text(credential.Config, "documentation_link"), text(credential.Config, "permissions_text", "help_text")
	if !strings.HasPrefix(m.Documentation, "https://") {
		m.Documentation = ""
	}
	list, _ := expr.Get(credential.Config, "fields").(*expr.Array)
	if list == nil {
		for _, name := range usualFields(m.Format) {
			if _, has := given[name]; !has {
				m.Fields = append(m.Fields, Field{Name: name, Label: label(name), Type: fieldType("", name), Required: true})
			}
		}
		return m
	}
	for _, item := range list.Items() {
		name := text(item, "name")
		if _, has := given[name]; has || name == "" {
			continue
		}
		field := Field{
			Name: name, Label: text(item, "label"), Type: fieldType(text(item, "type"), name), Placeholder: text(item, "placeholder"),
			Help: text(item, "help_text"), Required: expr.Get(item, "required") == true,
		}
		if field.Label == "" {
			field.Label = label(name)
		}
		if field.Type != "password" {
			field.Default = expr.Text(expr.Get(item, "default"))
		}
		if options, ok := expr.Get(item, "options").(*expr.Array); ok {
			for _, o := range options.Items() {
				value := expr.Text(o)
				if _, object := o.(*expr.Object); object {
					value = expr.Text(expr.Get(o, "value"))
				}
				shown := text(o, "label")
				if shown == "" {
					shown = value
				}
				field.Options = append(field.Options, Option{Label: shown, Value: value})
			}
		}
		m.Fields = append(m.Fields, field)
	}
	return m
}

func usualFields(format string) []string {
	switch format {
	case "api_key":
		return []string{"api_key"}
	case config.FormatClient:
		return []string{"client_id", "client_secret"}
	case "keka_oauth":
		return []string{"client_id", "client_secret", "api_key"}
	case "basic":
		return []string{"username", "password"}
	}
	return nil
}

func label(name string) string {
	words := strings.ReplaceAll(name, "_", " ")
	first, size := utf8.DecodeRuneInString(words)
	return string(unicode.ToUpper(first)) + words[size:]
}

func fieldType(given, name string) string {
	switch given {
	case "password", "single_select":
		return given
	case "":
		if slices.Contains([]string{"api_key", "client_secret", "password"}, name) {
			return "password"
		}
	}
	return "text"
}
