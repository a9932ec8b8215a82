package httpapi

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/document"
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
	IsBlocked            bool                         `json:"is_blocked" doc:"The installation is disabled; calls are answered with 503."`
}

type capableResource struct {
	Resource string          `json:"resource"`
	Methods  []capableMethod `json:"methods"`
}

type capableMethod struct {
	Method         string `json:"method"`
	Name           string `json:"name"`
	Description    string `json:"description"`
	HasDescription bool   `json:"has_description"`
	HasQuery       bool   `json:"has_query_schema"`
	HasBody        bool   `json:"has_body_schema"`
	HasResponse    bool   `json:"has_response_schema"`
	Documentation  string `json:"api_documentation_url"`
}

type capableAuth struct {
	Formats       []string `json:"formats"`
	Fields        []object `json:"fields" doc:"What users enter."`
	Documentation string   `json:"documentation_link"`
}

type aiReadiness struct {
	Methods   int `json:"proxy_methods"`
	Described int `json:"proxy_methods_with_descriptions"`
	Score     int `json:"ai_ready_score" doc:"The share of described methods in percent."`
}

// slugIn is the input of a route about an integration that may be named by its slug.
type slugIn struct {
	ID          string `path:"id" doc:"The integration's id or its name." example:"calcom"`
	Environment millrace.EnvironmentID
	ask         capabilityQuery
}

func (in *slugIn) read(r *request, _ *bodyReader) error {
	in.Environment = r.environment
	if millrace.IsID(in.ID) {
		if err := ownID(r, &in.ID); err != nil {
			return err
		}
	}
	return in.ask.read(r.http.URL.RawQuery)
}

// capabilityIn is the input of the same about an account.
type capabilityIn struct {
	ID          millrace.IntegratedAccountID `path:"id" doc:"The object's id, a UUID."`
	Environment millrace.EnvironmentID
	ask         capabilityQuery
}

func (in *capabilityIn) read(r *request, _ *bodyReader) error {
	in.Environment = r.environment
	if err := ownID(r, &in.ID); err != nil {
		return err
	}
	return in.ask.read(r.http.URL.RawQuery)
}

// capabilityQuery narrows capabilities down.
type capabilityQuery struct {
	kind, resource string
	methods        []string
	described      *bool
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
	var failures []millrace.Failure
	if !slices.Contains([]string{"", "proxy", "unified", "all"}, q.kind) {
		failures = append(failures, millrace.Failure{Path: "type", Message: "must be proxy, unified or all"})
	}
	if text := values.Get("has_description"); text != "" {
		flag, err := strconv.ParseBool(text)
		if err != nil {
			failures = append(failures, millrace.Failure{Path: "has_description", Message: "must be true or false"})
		}
		q.described = &flag
	}
	return millrace.InvalidAll(failures)
}

// findIntegration returns an integration by its id or by its name.
func findIntegration(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID, name string) (*millrace.Integration, error) {
	if millrace.IsID(name) {
		return tx.Integration(ctx, env, millrace.IntegrationID(name))
	}
	if !isText(name) {
		return nil, millrace.NotFound("integration", shorten(strings.ToValidUTF8(name, "\ufffd")))
	}
	page, err := tx.ListIntegrations(ctx, env, millrace.Query{Limit: 1, Filters: []millrace.Filter{
		{Field: "name", Op: millrace.OpEq, Values: []string{name}},
	}})
	if err != nil {
		return nil, err
	}
	if len(page.Result) == 0 {
		return nil, millrace.NotFound("integration", shorten(name))
	}
	return &page.Result[0], nil
}

func (a *api) getIntegration(ctx context.Context, in *slugIn) (*reply[millrace.Integration], error) {
	var out *reply[millrace.Integration]
	n := a.integrations()
	err := a.cfg.DB.View(ctx, func(tx *store.Tx) error {
		row, err := findIntegration(ctx, tx, in.Environment, in.ID)
		if err != nil {
			return err
		}
		out, err = n.reply(ctx, tx, row)
		return err
	})
	return out, err
}

func (a *api) integrationCapabilities(ctx context.Context, in *slugIn) (*reply[capabilities], error) {
	out := &reply[capabilities]{}
	err := a.cfg.DB.View(ctx, func(tx *store.Tx) error {
		integration, err := findIntegration(ctx, tx, in.Environment, in.ID)
		if err != nil {
			return err
		}
		install, err := tx.EnvironmentIntegrationOf(ctx, in.Environment, integration.ID)
		if err != nil {
			return err
		}
		config := integration.Config
		if install != nil {
			config = a.merged(config, install.Override)
		}
		out.Body = in.ask.capabilities(integration, config)
		return nil
	})
	return out, err
}

func (a *api) accountCapabilities(ctx context.Context, in *capabilityIn) (*reply[capabilities], error) {
	out := &reply[capabilities]{}
	err := a.cfg.DB.View(ctx, func(tx *store.Tx) error {
		account, err := tx.IntegratedAccount(ctx, in.Environment, in.ID)
		if err != nil {
			return err
		}
		install, err := tx.EnvironmentIntegration(ctx, in.Environment, account.EnvironmentIntegrationID)
		if err != nil {
			return err
		}
		integration, err := tx.Integration(ctx, in.Environment, install.IntegrationID)
		if err != nil {
			return err
		}
		out.Body = in.ask.capabilities(integration, a.merged(integration.Config, install.Override, account.Override()))
		out.Body.EnvironmentID = &account.EnvironmentID
		out.Body.Account = &capableAccount{account.ID, account.Status, account.AuthenticationMethod, !install.IsEnabled}
		return nil
	})
	return out, err
}

func (a *api) merged(config json.RawMessage, overrides ...json.RawMessage) json.RawMessage {
	if a.cfg.MergeConfig == nil {
		return config
	}
	return a.cfg.MergeConfig(config, overrides...)
}

// capabilities reads what a merged config offers. What it does not understand it leaves out: configs are checked when
// they are stored.
func (q *capabilityQuery) capabilities(v *millrace.Integration, config json.RawMessage) capabilities {
	root, err := document.ParseJSON(withoutSecrets(config, secret.NewSet(config)))
	if err != nil {
		root = &document.Value{Kind: document.KindObject}
	}
	out := capabilities{
		Integration: capableIntegration{ID: v.ID, Name: v.Name, Category: v.Category, Label: textIn(root, "label")},
		Proxy:       []capableResource{}, Unified: []json.RawMessage{}, Auth: authOf(root.Get("credentials")),
	}
	for _, resource := range membersOf(root.Get("resources")) {
		methods := []capableMethod{}
		for _, m := range membersOf(resource.Value) {
			c := methodOf(resource.Key, m)
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
		out.Readiness.Score = 100 * out.Readiness.Described / n
	}
	return out
}

func methodOf(resource string, m document.Member) capableMethod {
	has := func(name string) bool { v := m.Value.Get(name); return v != nil && v.Kind != document.KindNull }
	about := textIn(m.Value, "description")
	return capableMethod{
		Method: m.Key, Name: m.Key + " " + resource, Description: about, HasDescription: about != "",
		HasQuery: has("query_schema"), HasBody: has("body_schema"), HasResponse: has("response_schema"),
		Documentation: textIn(m.Value, "api_documentation_url"),
	}
}

func (q *capabilityQuery) wants(resource string, m capableMethod) bool {
	return q.kind != "unified" && (q.resource == "" || q.resource == resource) &&
		(len(q.methods) == 0 || slices.Contains(q.methods, m.Method)) &&
		(q.described == nil || *q.described == m.HasDescription)
}

// authOf reads one credential, or a map from format to credential.
func authOf(credentials *document.Value) capableAuth {
	out := capableAuth{Formats: []string{}, Fields: []object{}}
	list := membersOf(credentials)
	if format := textIn(credentials, "format"); format != "" {
		list = []document.Member{{Key: format, Value: credentials}}
	}
	seen := map[string]bool{}
	for _, c := range list {
		out.Formats = append(out.Formats, c.Key)
		config := c.Value.Get("config")
		if link := textIn(config, "documentation_link"); out.Documentation == "" {
			out.Documentation = link
		}
		if config == nil || config.Get("fields") == nil {
			continue
		}
		for _, f := range config.Get("fields").Items {
			if name := textIn(f, "name"); name != "" && !seen[name] {
				seen[name] = true
				out.Fields = append(out.Fields, object{f.JSON()})
			}
		}
	}
	return out
}

func membersOf(v *document.Value) []document.Member {
	if v == nil || v.Kind != document.KindObject {
		return nil
	}
	return v.Members
}

func textIn(v *document.Value, key string) string {
	if v == nil || v.Kind != document.KindObject {
		return ""
	}
	if m := v.Get(key); m != nil && m.Kind == document.KindString {
		return m.Text
	}
	return ""
}
