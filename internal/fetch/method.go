package fetch

import (
	"encoding/json"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// Method is one request of an integration, checked and compiled, with what it inherits from the top of the config.
type Method struct {
	Name        string
	Description string

	settings
	path           *template
	paginationPath *template // the path of later pages
	metadataPath   string    // or where the metadata of the pagination is
	verb           string
	body           *bodyConfig
	responsePath   string
	responseFormat string
	strictParsing  bool // text that should be JSON is an error
	keepOnRedirect bool // credentials follow a redirect to another host
	confined       bool // requests must stay on the host of the config's base URL
	foreignAuth    bool // requests say nothing about the account's credentials

	addQueryToBody         bool
	ignoreBodyInPagination bool
	ignoreBody             bool
	nullBody               bool
}

// settings are what a method inherits and may override.
type settings struct {
	origin          string // path of the part of the config they come from; empty: nothing is inherited
	baseURL         *template
	headers         *template
	query           *template
	arrayFormat     string
	auth            *authorization // nil: by what the account's context holds
	pagination      pager
	errorExpression *expr.Program
	errorPath       string // of the error expression

	rawHeaders, rawQuery *expr.Object // for methods to merge theirs over
	removed              []string     // headers that are null at the top
}

// parseSettings reads the settings of a method, or those of the top of the config when there is nothing to inherit.
func parseSettings(f field, inherited settings) settings {
	s := inherited
	s.origin = f.path
	if base := f.get("base_url"); base.text() != "" {
		s.baseURL = base.template()
		if src := strings.TrimSpace(base.text()); !hasScheme(src) && !strings.HasPrefix(src, "{{") {
			base.report("must begin with https:// or http://")
		}
	}
	top := inherited.origin == ""
	s.parseHeaders(f.get("headers"), top)
	s.parseQuery(f.get("query"))
	s.arrayFormat = f.get("query_array_format").oneOf(inherited.arrayFormat, "comma", "brackets", "indices", "repeat")
	if auth := f.get("authorization"); auth.value != nil {
		s.auth = parseAuthorization(auth)
	}
	if page := f.get("pagination"); page.value != nil {
		s.pagination = parsePagination(page)
	}
	if p := f.get("error_expression"); p.value != nil {
		s.errorExpression, s.errorPath = p.program(), p.path
	}
	return s
}

func hasScheme(s string) bool {
	return strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://")
}

// parseHeaders merges headers over the inherited ones. Null removes a header, and one that is null at the top stays
// away even if a method sets it.
func (s *settings) parseHeaders(f field, top bool) {
	members := f.object()
	if len(members) == 0 {
		return
	}
	merged := jsonata.NewObject(len(members))
	for key, v := range orEmpty(s.rawHeaders).All() {
		merged.Set(key, v)
	}
	for _, member := range members {
		key := textproto.CanonicalMIMEHeaderKey(member.name(f))
		_, composite := member.value.(*expr.Object)
		switch {
		case member.isNull() && top:
			s.removed = append(slices.Clip(s.removed), key)
		case member.isNull():
			merged.Delete(key)
		case composite:
			member.report("must be a string")
		default:
			merged.Set(key, member.value)
		}
	}
	for _, key := range s.removed {
		merged.Delete(key)
	}
	s.rawHeaders = merged
	s.headers = field{found: f.found, path: f.path, value: merged}.template()
}

func (s *settings) parseQuery(f field) {
	members := f.object()
	if len(members) == 0 {
		return
	}
	merged := jsonata.NewObject(len(members))
	for key, v := range orEmpty(s.rawQuery).All() {
		merged.Set(key, v)
	}
	for _, member := range members {
		if member.isNull() {
			merged.Delete(member.name(f))
			continue
		}
		merged.Set(member.name(f), member.value)
	}
	s.rawQuery = merged
	s.query = field{found: f.found, path: f.path, value: merged}.template()
}

func orEmpty(o *expr.Object) *expr.Object {
	if o == nil {
		return jsonata.NewObject(0)
	}
	return o
}

// parseMethod reads a method object.
func parseMethod(f field, name string, inherited settings) *Method {
	f.object()
	f.known(methodKeys()...)
	// The pagination at the top is for lists. Asking for page 1 of a single record makes no sense to most APIs.
	if name != "list" {
		inherited.pagination = nil
	}
	m := &Method{
		Name:                   name,
		Description:            f.get("description").text(),
		settings:               parseSettings(f, inherited),
		responsePath:           f.get("response_path").text(),
		responseFormat:         strings.ToLower(f.get("api_response_format").text()),
		strictParsing:          true,
		addQueryToBody:         f.get("add_query_to_body").boolean(),
		ignoreBodyInPagination: f.get("ignore_body_in_pagination").boolean(),
		ignoreBody:             f.get("ignore_body").boolean(),
		nullBody:               f.get("set_body_to_null").boolean(),
	}
	path := f.get("path")
	if path.value != "" { // the base URL itself is a legitimate target
		path.need()
	}
	m.path = path.template()
	if src, ok := path.value.(string); ok && m.baseURL == nil && !strings.Contains(src, "://") {
		f.get("base_url").report("Required string is missing, here or at the top of the config")
	}
	m.verb = strings.ToUpper(f.get("method").oneOf("get", "get", "post", "put", "patch", "delete", "head", "options"))
	m.body = parseBody(f)
	m.parsePaginationPath(f.get("pagination_path"))
	if strict := f.get("throw_error_on_parse_error"); strict.present() {
		m.strictParsing = strict.boolean()
	}
	if ignore := f.get("ignore_credentials_on_redirect"); ignore.present() {
		m.keepOnRedirect = !ignore.boolean()
	}
	if f.get("no_auth").boolean() {
		m.auth = &authorization{format: authNone}
	}
	m.foreignAuth = f.get("no_auth").boolean() || f.get("authorization").isNull()
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
func (m *Method) parsePaginationPath(f field) {
	s := f.text()
	if strings.HasPrefix(s, "/") || strings.Contains(s, "://") || strings.Contains(s, "{{") {
		m.paginationPath = f.template()
		return
	}
	m.metadataPath = s
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
	found := &findings{}
	f := field{found: found, path: methodPath, value: o}
	f.known(methodKeys()...) // before the path is there, which a misspelt key may mean
	if err := millrace.InvalidAll(found.list); err != nil {
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
	if err := millrace.InvalidAll(found.list); err != nil {
		return nil, err
	}
	m.confined, m.keepOnRedirect = true, false
	m.foreignAuth = m.foreignAuth || f.get("authorization").present() || f.get("headers").present()
	return m, nil
}

// Verb is the HTTP method of the requests, in upper case.
func (m *Method) Verb() string { return m.verb }

// Pages reports whether the method gives a list page by page.
func (m *Method) Pages() bool { return m.pagination != nil }

// reads reports whether a template of the method reads a path below the given root.
func (m *Method) reads(root string) bool {
	return m.path.reads(root) || m.paginationPath.reads(root) || m.headers.reads(root) || m.query.reads(root) ||
		m.body.template.reads(root)
}

// hasBodyByDefault reports whether requests of the verb carry the caller's body.
func (m *Method) hasBodyByDefault() bool {
	return m.verb != http.MethodGet && m.verb != http.MethodHead
}

// inPath reports whether a parameter of the caller's query goes into the path, as in /repos/{{query.owner}}. It does not
// go into the query then: strict APIs refuse what they do not know.
func (m *Method) inPath(key string) bool {
	return m.path.reads("query."+key) || m.paginationPath.reads("query."+key)
}
