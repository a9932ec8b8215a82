package connection

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/document"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
)

// capabilities says what can be done with an integration or with an account.
type capabilities struct {
	Integration   capableIntegration      `json:"integration"`
	EnvironmentID *millrace.EnvironmentID `json:"environment_id,omitempty"`
	Proxy         []capableResource       `json:"proxy" doc:"The resources of the proxy API."`
	Unified       []json.RawMessage       `json:"unified" doc:"Always empty."`
	Auth          capableAuth             `json:"auth" doc:"How accounts get their credentials."`
	Readiness     aiReadiness             `json:"ai_readiness"`
	Account       *capableAccount         `json:"account,omitempty"`
}

type capableIntegration struct {
	ID       millrace.IntegrationID `json:"id"`
	Name     string                 `json:"name"`
	Label    string                 `json:"label"`
	Category string                 `json:"category"`
}

type capableAccount struct {
	ID                   millrace.IntegratedAccountID `json:"id"`
	Status               millrace.AccountStatus       `json:"status"`
	AuthenticationMethod string                       `json:"authentication_method"`
	IsBlocked            bool                         `json:"is_blocked" doc:"The installation is disabled; calls get a 503."`
}

type capableResource struct {
	Resource string          `json:"resource"`
	Methods  []capableMethod `json:"methods"`
}

type capableMethod struct {
	Method         string  `json:"method"`
	Name           string  `json:"name" doc:"The name of the tool that the method is to language models."`
	Description    *string `json:"description"`
	HasDescription bool    `json:"has_description"`
	HasQuery       bool    `json:"has_query_schema"`
	HasBody        bool    `json:"has_body_schema"`
	HasResponse    bool    `json:"has_response_schema"`
	Documentation  *string `json:"api_documentation_url"`
}

type capableAuth struct {
	Formats       []string      `json:"formats"`
	Fields        []rest.Object `json:"fields" doc:"What users enter."`
	Documentation string        `json:"documentation_link"`
}

type aiReadiness struct {
	Methods   int     `json:"proxy_methods"`
	Described int     `json:"proxy_methods_with_descriptions"`
	Score     float64 `json:"ai_ready_score" doc:"The share of described methods, from 0 to 1."`
}

// slugIn is the input of a route about the capabilities of an integration.
type slugIn struct {
	rest.SlugIn
	ask capabilityQuery
}

func (in *slugIn) Read(r *rest.Request, b *rest.BodyReader) error {
	if err := in.SlugIn.Read(r, b); err != nil {
		return err
	}
	return in.ask.read(r.HTTP.URL.RawQuery)
}

// capabilityIn is the input of the same about an account.
type capabilityIn struct {
	ID millrace.IntegratedAccountID `path:"id" doc:"The object's id, a UUID."`
	rest.Principal
	ask capabilityQuery
}

func (in *capabilityIn) Read(r *rest.Request, _ *rest.BodyReader) error {
	in.Principal = r.Principal
	if err := rest.OwnID(r, &in.ID); err != nil {
		return err
	}
	return in.ask.read(r.HTTP.URL.RawQuery)
}

// capabilityQuery narrows capabilities down.
type capabilityQuery struct {
	kind, resource string
	methods        []string
	described      bool // only methods with a description
}

func (q *capabilityQuery) read(raw string) error {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return millrace.Invalid("", "the query is not percent-encoded correctly")
	}
	q.kind, q.resource = values.Get("type"), values.Get("resource")
	if m := values.Get("methods"); m != "" {
		q.methods = strings.Split(m, ",")
	}
	q.described = true
	var failures []millrace.Failure
	if !slices.Contains([]string{"", "proxy", "unified", "all"}, q.kind) {
		failures = append(failures, millrace.Failure{Path: "type", Message: "must be proxy, unified or all"})
	}
	if text := values.Get("has_description"); text != "" {
		flag, err := strconv.ParseBool(text)
		if err != nil {
			failures = append(failures, millrace.Failure{Path: "has_description", Message: "must be true or false"})
		}
		q.described = flag
	}
	return millrace.InvalidAll(failures)
}

// GetIntegration gets an integration by its id or its name.
func (h *Handlers) GetIntegration(ctx context.Context, in *rest.SlugIn) (*rest.Reply[integrationView], error) {
	var out *rest.Reply[integrationView]
	n := h.Integrations()
	err := h.DB.View(ctx, func(tx *store.Tx) error {
		row, err := findIntegration(ctx, tx, in.Environment, in.ID)
		if err != nil {
			return err
		}
		out, err = n.Reply(ctx, tx, row)
		return err
	})
	return n.warned(out, err)
}

// IntegrationCapabilities says what an integration can do.
func (h *Handlers) IntegrationCapabilities(ctx context.Context, in *slugIn) (*rest.Reply[capabilities], error) {
	out := &rest.Reply[capabilities]{}
	err := h.DB.View(ctx, func(tx *store.Tx) error {
		integration, err := findIntegration(ctx, tx, in.Environment, in.ID)
		if err != nil {
			return err
		}
		install, err := tx.Installs().Of(ctx, in.Environment, integration.ID)
		if err != nil {
			return err
		}
		merged := integration.Config
		if install != nil {
			merged = config.Merge(merged, install.Override)
		}
		out.Body = in.ask.capabilities(integration, merged)
		return nil
	})
	return out, err
}

// AccountCapabilities says what an account can do.
func (h *Handlers) AccountCapabilities(ctx context.Context, in *capabilityIn) (*rest.Reply[capabilities], error) {
	out := &rest.Reply[capabilities]{}
	err := h.DB.View(ctx, func(tx *store.Tx) error {
		account, err := tx.Accounts().Get(ctx, in.Environment, in.ID)
		if err != nil {
			return err
		}
		install, err := tx.Installs().Get(ctx, in.Environment, account.EnvironmentIntegrationID)
		if err != nil {
			return err
		}
		integration, err := tx.Integrations().Get(ctx, in.Environment, install.IntegrationID)
		if err != nil {
			return err
		}
		out.Body = in.ask.capabilities(integration, config.Merge(integration.Config, install.Override, account.Override()))
		out.Body.EnvironmentID = &account.EnvironmentID
		out.Body.Account = &capableAccount{account.ID, account.Status, account.AuthenticationMethod, !install.IsEnabled}
		return nil
	})
	return out, err
}

// capabilities reads what a merged config offers. What it does not understand it leaves out: configs are checked when
// they are stored.
func (q *capabilityQuery) capabilities(v *millrace.Integration, config json.RawMessage) capabilities {
	root, err := document.ParseJSON(account.WithoutSecrets(config, secret.NewSet(config)))
	if err != nil {
		root = &document.Value{Kind: document.KindObject}
	}
	out := capabilities{
		Integration: capableIntegration{ID: v.ID, Name: v.Name, Category: v.Category, Label: document.TextIn(root, "label")},
		Proxy:       []capableResource{}, Unified: []json.RawMessage{}, Auth: authOf(root.Get("credentials")),
	}
	for _, resource := range document.MembersOf(root.Get("resources")) {
		methods := []capableMethod{}
		for _, m := range document.MembersOf(resource.Value) {
			c := methodOf(v.Name, resource.Key, m)
			out.Readiness.Methods++
			if c.HasDescription {
				out.Readiness.Described++
			}
			if q.wants(resource.Key, c) {
				methods = append(methods, c)
			}
		}
		if len(methods) > 0 {
			out.Proxy = append(out.Proxy, capableResource{resource.Key, methods})
		}
	}
	if n := out.Readiness.Methods; n > 0 {
		out.Readiness.Score = float64(out.Readiness.Described) / float64(n)
	}
	return out
}

func methodOf(integration, resource string, m document.Member) capableMethod {
	has := func(name string) bool { v := m.Value.Get(name); return v != nil && v.Kind != document.KindNull }
	about := document.TextIn(m.Value, "description")
	return capableMethod{
		Method: m.Key, Name: toolName(integration, resource, m.Key), Description: rest.Nullable(about), HasDescription: about != "",
		HasQuery: has("query_schema"), HasBody: has("body_schema"), HasResponse: has("response_schema"),
		Documentation: rest.Nullable(document.TextIn(m.Value, "api_documentation_url")),
	}
}

func (q *capabilityQuery) wants(resource string, m capableMethod) bool {
	return q.kind != "unified" && (q.resource == "" || q.resource == resource) &&
		(len(q.methods) == 0 || slices.Contains(q.methods, m.Method)) &&
		(!q.described || m.HasDescription)
}

// toolName returns the published name of the tool that a method is: list_all_hubspot_contacts, create_a_hubspot_contact.
func toolName(integration, resource, method string) string {
	one := integration + " " + singular(resource)
	switch method {
	case "list":
		return snake("list all " + integration + " " + resource)
	case "get":
		return snake("get single " + one + " by id")
	case "create":
		return snake("create a " + one)
	case "update", "delete":
		return snake(method + " a " + one + " by id")
	}
	return snake(integration + " " + resource + " " + method)
}

// singular returns the singular of a regular English plural, anything else unchanged.
func singular(word string) string {
	for _, plural := range [][2]string{{"ies", "y"}, {"sses", "ss"}, {"shes", "sh"}, {"ches", "ch"}, {"xes", "x"}, {"uses", "us"}, {"ss", "ss"}, {"us", "us"}, {"s", ""}} {
		if stem, ok := strings.CutSuffix(word, plural[0]); ok && stem != "" {
			return stem + plural[1]
		}
	}
	return word
}

// snake joins the words of a text with underscores, in lower case.
func snake(text string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(text), func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsDigit(c)
	}), "_")
}

// authOf reads one credential, or a map from format to credential.
func authOf(credentials *document.Value) capableAuth {
	out := capableAuth{Formats: []string{}, Fields: []rest.Object{}}
	list := document.MembersOf(credentials)
	if format := document.TextIn(credentials, "format"); format != "" {
		list = []document.Member{{Key: format, Value: credentials}}
	}
	seen := map[string]bool{}
	for _, c := range list {
		out.Formats = append(out.Formats, c.Key)
		config := c.Value.Get("config")
		if link := document.TextIn(config, "documentation_link"); out.Documentation == "" {
			out.Documentation = link
		}
		if config == nil || config.Get("fields") == nil {
			continue
		}
		for _, f := range config.Get("fields").Items {
			if name := document.TextIn(f, "name"); name != "" && !seen[name] {
				seen[name] = true
				out.Fields = append(out.Fields, rest.Object{RawMessage: f.JSON()})
			}
		}
	}
	return out
}
