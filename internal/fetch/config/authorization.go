package config

import (
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/field"
)

// The formats of an authorization.
const (
	AuthNone   = "none"
	AuthBearer = "bearer"
	AuthBasic  = "basic"
	authHeader = "header"
)

// Authorization says how requests prove who they are.
type Authorization struct {
	Path       string
	Format     string
	Token      *field.Template // bearer; nil: the account's access token or API key
	Username   *field.Template // basic
	Password   *field.Template
	Headers    []HeaderField
	Expression *expr.Program // gives an object of headers
}

// HeaderField is a header whose name and value may have placeholders.
type HeaderField struct{ Name, Value *field.Template }

// parseAuthorization reads an authorization; null means none.
func parseAuthorization(f field.Field) *Authorization {
	if f.IsNull() {
		return &Authorization{Format: AuthNone}
	}
	f.Members()
	f.Known("format", "config")
	a := &Authorization{Path: f.Path}
	format := f.Get("format")
	if format.Need() == "" {
		return a
	}
	a.Format = format.OneOf("", AuthBearer, AuthBasic, authHeader)
	config := f.Get("config")
	config.Members()
	switch a.Format {
	case AuthBearer:
		config.Known("token", "value")
		a.Token = config.Get("token", "value").Template()
	case AuthBasic:
		config.Known("username", "password")
		config.Get("username").Need()
		a.Username, a.Password = config.Get("username").Template(), config.Get("password").Template()
	case authHeader:
		a.parseHeaders(config)
	}
	return a
}

func (a *Authorization) parseHeaders(config field.Field) {
	config.Known("header_name", "header_value", "expression", "headers")
	a.Expression = config.Get("expression").Program()
	for _, member := range config.Get("headers").Members() {
		name := &field.Template{Path: member.Path, Constant: member.Name(config.Get("headers"))}
		a.Headers = append(a.Headers, HeaderField{name, member.Template()})
	}
	if config.Get("header_name").Present() || (a.Expression == nil && len(a.Headers) == 0) {
		config.Get("header_name").Need()
		config.Get("header_value").Need()
		a.Headers = append(a.Headers, HeaderField{config.Get("header_name").Template(), config.Get("header_value").Template()})
	}
}
