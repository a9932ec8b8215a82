package config

import (
	"encoding/json"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/field"
	"github.com/millrace/millrace/internal/fetch/page"
	"github.com/millrace/millrace/jsonata"
)

// Method is one request of an integration, checked and compiled, with what it inherits from the top of the config.
type Method struct {
	Name        string
	Description string

	settings
	Path           *field.Template
	PaginationPath *field.Template // the path of later pages
	MetadataPath   string          // or where the metadata of the pagination is
	verb           string
	Body           *Body
	ResponsePath   string
	ResponseFormat string
	StrictParsing  bool // text that should be JSON is an error
	KeepOnRedirect bool // credentials follow a redirect to another host
	Confined       bool // requests must stay on the host of the config's base URL
	ForeignAuth    bool // requests say nothing about the account's credentials

	Scopes                 []string // that a connection needs for it
	AddQueryToBody         bool
	IgnoreBodyInPagination bool
	IgnoreBody             bool
	NullBody               bool
}

// settings are what a method inherits and may override.
type settings struct {
	Origin          string // path of the part of the config they come from; empty: nothing is inherited
	BaseURL         *field.Template
	Headers         *field.Template
	Query           *field.Template
	ArrayFormat     string
	Auth            *Authorization // nil: by what the account's context holds
	Pagination      page.Pager
	ErrorExpression *expr.Program
	ErrorPath       string // of the error expression

	rawHeaders, rawQuery *expr.Object // for methods to merge theirs over
	removed              []string     // headers that are null at the top
}

// parseSettings reads the settings of a method, or those of the top of the config when there is nothing to inherit.
func parseSettings(f field.Field, inherited settings) settings {
	s := inherited
	s.Origin = f.Path
	if base := f.Get("base_url"); base.Text() != "" {
		s.BaseURL = base.Template()
		if src := strings.TrimSpace(base.Text()); !HasScheme(src) && !strings.HasPrefix(src, "{{") {
			base.Report("must begin with https:// or http://")
		}
	}
	top := inherited.Origin == ""
	s.parseHeaders(f.Get("headers"), top)
	s.parseQuery(f.Get("query"))
	s.ArrayFormat = f.Get("query_array_format").OneOf(inherited.ArrayFormat, "comma", "brackets", "indices", "repeat")
	if auth := f.Get("authorization"); auth.Value != nil {
		s.Auth = parseAuthorization(auth)
	}
	if list := f.Get("pagination"); list.Value != nil {
		s.Pagination = page.Parse(list)
	}
	if p := f.Get("error_expression"); p.Value != nil {
		s.ErrorExpression, s.ErrorPath = p.Program(), p.Path
	}
	return s
}

// HasScheme reports whether a text begins like an absolute URL.
func HasScheme(s string) bool {
	return strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://")
}

// parseHeaders merges headers over the inherited ones. Null removes a header, and one that is null at the top stays
// away even if a method sets it.
func (s *settings) parseHeaders(f field.Field, top bool) {
	members := f.Members()
	if len(members) == 0 {
		return
	}
	merged := jsonata.NewObject(len(members))
	for key, v := range expr.OrEmpty(s.rawHeaders).All() {
		merged.Set(key, v)
	}
	for _, member := range members {
		key := textproto.CanonicalMIMEHeaderKey(member.Name(f))
		_, composite := member.Value.(*expr.Object)
		switch {
		case member.IsNull() && top:
			s.removed = append(slices.Clip(s.removed), key)
		case member.IsNull():
			merged.Delete(key)
		case composite:
			member.Report("must be a string")
		default:
			merged.Set(key, member.Value)
		}
	}
	for _, key := range s.removed {
		merged.Delete(key)
	}
	s.rawHeaders = merged
	s.Headers = field.Field{Found: f.Found, Path: f.Path, Value: merged}.Template()
}

func (s *settings) parseQuery(f field.Field) {
	members := f.Members()
	if len(members) == 0 {
		return
	}
	merged := jsonata.NewObject(len(members))
	for key, v := range expr.OrEmpty(s.rawQuery).All() {
		merged.Set(key, v)
	}
	for _, member := range members {
		if member.IsNull() {
			merged.Delete(member.Name(f))
			continue
		}
		merged.Set(member.Name(f), member.Value)
	}
	s.rawQuery = merged
	s.Query = field.Field{Found: f.Found, Path: f.Path, Value: merged}.Template()
}

// parseMethod reads a method object.
func parseMethod(f field.Field, name string, inherited settings) *Method {
	f.Members()
	f.Known(methodKeys()...)
	// The pagination at the top is for lists. Asking for page 1 of a single record makes no sense to most APIs.
	if name != "list" {
		inherited.Pagination = nil
	}
	m := &Method{
		Name:                   name,
		Description:            f.Get("description").Text(),
		settings:               parseSettings(f, inherited),
		ResponsePath:           f.Get("response_path").Text(),
		ResponseFormat:         strings.ToLower(f.Get("api_response_format").Text()),
		StrictParsing:          true,
		AddQueryToBody:         f.Get("add_query_to_body").Bool(),
		IgnoreBodyInPagination: f.Get("ignore_body_in_pagination").Bool(),
		IgnoreBody:             f.Get("ignore_body").Bool(),
		NullBody:               f.Get("set_body_to_null").Bool(),
	}
	for _, scope := range f.Get("scopes").List() {
		m.Scopes = append(m.Scopes, scope.Text())
	}
	path := f.Get("path")
	if path.Value != "" { // the base URL itself is a legitimate target
		path.Need()
	}
	m.Path = path.Template()
	if src, ok := path.Value.(string); ok && m.BaseURL == nil && !strings.Contains(src, "://") {
		f.Get("base_url").Report("Required string is missing, here or at the top of the config")
	}
	m.verb = strings.ToUpper(f.Get("method").OneOf("get", "get", "post", "put", "patch", "delete", "head", "options"))
	m.Body = parseBody(f)
	m.parsePaginationPath(f.Get("pagination_path"))
	if strict := f.Get("throw_error_on_parse_error"); strict.Present() {
		m.StrictParsing = strict.Bool()
	}
	if ignore := f.Get("ignore_credentials_on_redirect"); ignore.Present() {
		m.KeepOnRedirect = !ignore.Bool()
	}
	if f.Get("no_auth").Bool() {
		m.Auth = &Authorization{Format: AuthNone}
	}
	m.ForeignAuth = f.Get("no_auth").Bool() || f.Get("authorization").IsNull()
	return m
}

// methodKeys are the documented members of a method object.
func methodKeys() []string {
	return []string{
		"path", "method", "base_url", "headers", "query", "query_array_format", "authorization", "pagination",
		"error_expression", "body", "body_format", "body_format_config", "response_path", "pagination_path",
		"add_query_to_body", "ignore_body_in_pagination", "ignore_body", "set_body_to_null", "no_auth",
		"ignore_credentials_on_redirect", "api_response_format", "throw_error_on_parse_error", "query_schema",
		"body_schema", "response_schema", "description", "api_documentation_url", "scopes", "examples",
	}
}

// parsePaginationPath tells the two uses of the field apart: a path of a URL for later pages, or the dotted path of
// the object that the paths of the pagination start from.
func (m *Method) parsePaginationPath(f field.Field) {
	s := f.Text()
	if strings.HasPrefix(s, "/") || strings.Contains(s, "://") || strings.Contains(s, "{{") {
		m.PaginationPath = f.Template()
		return
	}
	m.MetadataPath = s
}

// methodPath is how the paths of findings about the method of a custom call begin, after its name in the request.
const methodPath = "methodConfig"

// CustomMethod returns the method of a call of the custom API: with the verb and the path ([Request].Path) of the call
// unless config, which may be empty, has its own. Its requests cannot leave the host of the base URL. paged says that
// it pages like the lists of the integration; a pagination in config says more.
func (c *Config) CustomMethod(verb string, paged bool, config json.RawMessage) (*Method, error) {
	if len(config) == 0 {
		config = json.RawMessage("{}")
	}
	v, err := expr.ParseJSON(config)
	if err != nil {
		return nil, millrace.Invalid(methodPath, "%v", err)
	}
	o, ok := v.(*expr.Object)
	if !ok {
		return nil, millrace.Invalid(methodPath, "must be an object")
	}
	found := &field.Findings{}
	f := field.Field{Found: found, Path: methodPath, Value: o}
	f.Known(methodKeys()...) // before the path is there, which a misspelt key may mean
	if err := millrace.InvalidAll(found.List); err != nil {
		return nil, err
	}
	for key, own := range map[string]string{"path": "", "method": verb} {
		if _, has := o.Get(key); !has {
			o.Set(key, own)
		}
	}
	name := ""
	if paged {
		name = "list"
	}
	m := parseMethod(f, name, c.inherited)
	if err := millrace.InvalidAll(found.List); err != nil {
		return nil, err
	}
	m.Confined, m.KeepOnRedirect = true, false
	m.ForeignAuth = m.ForeignAuth || f.Get("authorization").Present() || f.Get("headers").Present()
	return m, nil
}

// Verb is the HTTP method of the requests, in upper case.
func (m *Method) Verb() string { return m.verb }

// Pages reports whether the method gives a list page by page.
func (m *Method) Pages() bool { return m.Pagination != nil }

// Reads reports whether a template of the method reads a path below the given root.
func (m *Method) Reads(root string) bool {
	return m.Path.Reads(root) || m.PaginationPath.Reads(root) || m.Headers.Reads(root) || m.Query.Reads(root) ||
		m.Body.Template.Reads(root)
}

// HasBodyByDefault reports whether requests of the verb carry the caller's body.
func (m *Method) HasBodyByDefault() bool {
	return m.verb != http.MethodGet && m.verb != http.MethodHead
}

// InPath reports whether a parameter of the caller's query goes into the path, as in /repos/{{query.owner}}. It does not
// go into the query then: strict APIs reject what they do not know.
func (m *Method) InPath(key string) bool {
	return m.Path.Reads("query."+key) || m.PaginationPath.Reads("query."+key)
}
