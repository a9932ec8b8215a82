package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/field"
	"github.com/millrace/millrace/jsonata"
)

// Credential says how accounts get their credentials.
type Credential struct {
	Path   string // where it stands in the config
	Format string
	Config expr.Value
	Fields []Input
	OAuth  *OAuth // nil: there are no tokens to ask for
	Wrong  error  // what is wrong with them, of KindInvalid; of a stored config only

	JWT         *JWT         // of the format jwt: without OAuth, what is sent as the token
	OAuth1      *OAuth1      // of the format oauth
	AWS         *AWS         // of the format aws_sigv4
	Certificate *Certificate // of any format; nil: none is shown
}

// Input is a member of an account's context that the user who connects the account has to give.
type Input struct {
	Name      string
	Default   expr.Value // nil: none
	required  bool
	format    string
	transform string
	pattern   *regexp.Regexp // nil: any text
	options   []string       // nil: any
}

// Credentials returns the credentials of a stored config with overrides merged over it, by format. It reads nothing else of them.
func Credentials(base json.RawMessage, overrides ...json.RawMessage) (map[string]Credential, error) {
	slots := make([]json.RawMessage, 0, len(overrides)+1)
	for _, raw := range append([]json.RawMessage{base}, overrides...) {
		var slot struct {
			Credentials json.RawMessage `json:"credentials,omitempty"`
		}
		if len(raw) > 0 {
			if err := json.Unmarshal(raw, &slot); err != nil {
				return nil, millrace.Invalid(RootPath, "%v", err)
			}
		}
		encoded, err := json.Marshal(slot)
		if err != nil {
			return nil, err
		}
		slots = append(slots, encoded)
	}
	v, err := expr.ParseJSON(Merge(slots[0], slots[1:]...))
	if err != nil {
		return nil, millrace.Invalid(RootPath, "%v", err)
	}
	found := &field.Findings{}
	c := &Config{}
	c.parseCredentials(field.Field{Found: found, Path: RootPath, Value: v}.Get("credentials"), false)
	return c.Credentials, millrace.InvalidAll(found.List)
}

// parseCredentials accepts one credential, or a map from format to credential.
func (c *Config) parseCredentials(f field.Field, strict bool) {
	c.Credentials = map[string]Credential{}
	if _, single := f.Get("format").Value.(string); single {
		c.parseCredential(f, "", strict)
		return
	}
	for _, credential := range f.Members() {
		c.parseCredential(credential, credential.Name(f), strict)
	}
}

func (c *Config) parseCredential(f field.Field, key string, strict bool) {
	if !strict {
		f.Found = &field.Findings{}
	}
	f.Known("format", "config")
	format := key
	if f.Get("format").Present() || key == "" {
		format = f.Get("format").Need()
	}
	if !slices.Contains(formats(), format) && millrace.Nearest(format, formats()) != "" {
		f.Get("format").Suggest(format, formats(), "%q is not a format of credentials", format)
	}
	config := f.Get("config")
	credential := Credential{Path: f.Path, Format: format, Config: config.Value}
	credential.parseOptions(config)
	for _, input := range config.Get("fields").List() {
		credential.Fields = append(credential.Fields, parseInput(input))
	}
	credential.checkHosts(config)
	if !strict {
		credential.Wrong = millrace.InvalidAll(f.Found.List)
	}
	c.Credentials[format] = credential
}

// parseOptions reads what a format has beside its fields.
func (c *Credential) parseOptions(config field.Field) {
	o := &options{Field: config, known: []string{"fields", "documentation_link", "permissions_text", "help_text", "label"}}
	c.Certificate = parseCertificate(o)
	switch c.Format {
	case FormatOAuth2, FormatClient, FormatKeka, FormatSession:
		c.OAuth = parseOAuth(o, c.Format)
	case FormatOAuth1:
		c.OAuth1 = parseOAuth1(o)
		c.OAuth = parseOAuth(o, c.Format)
		c.OAuth1.ClientID, c.OAuth1.ClientSecret = c.OAuth.ClientID, c.OAuth.ClientSecret
		if c.OAuth.Temporary.Host == nil {
			c.OAuth = nil // users enter the tokens
		}
	case FormatJWT:
		c.JWT = parseJWT(o)
		if o.get("auth").Present() {
			c.OAuth = parseOAuth(o, c.Format)
		}
	case FormatAWS:
		c.AWS = parseAWS(o)
	default:
		return // whatever the config of others has is documentation
	}
	o.done()
}

func parseInput(f field.Field) Input {
	in := Input{Name: f.Get("name").Need(), required: f.Get("required").Bool()}
	in.format, _ = f.Get("format").Value.(string)
	in.transform, _ = f.Get("transform").Value.(string)
	if v := f.Get("default"); v.Present() {
		in.Default = v.Value
	}
	if text, ok := f.Get("pattern").Value.(string); ok && text != "" {
		var err error
		if in.pattern, err = regexp.Compile(text); err != nil {
			f.Get("pattern").Idle("is not checked: " + strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
	}
	if kind, _ := f.Get("type").Value.(string); kind != "single_select" {
		return in
	}
	for _, option := range f.Get("options").List() {
		value := option.Value
		if o, ok := value.(*expr.Object); ok {
			value = expr.Get(o, "value")
		}
		if text, ok := plainText(value); ok {
			in.options = append(in.options, text)
		}
	}
	return in
}

// plainText returns a value as the text that a form has for it, and whether it is one.
func plainText(v expr.Value) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case float64:
		return jsonata.FormatNumber(v), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

// Check returns what is wrong with a value, "" when nothing is. It never quotes the value, which may be a secret.
func (in *Input) Check(v expr.Value) string {
	text, plain := plainText(v)
	switch {
	case text == "" && (plain || v == nil || v == (expr.Null{})):
		if in.required {
			return "is required"
		}
		return ""
	case !plain:
		return "" // for expressions of the config
	case in.options != nil && !slices.Contains(in.options, text):
		return "must be one of " + strings.Join(in.options, ", ")
	case in.pattern != nil && !in.pattern.MatchString(text):
		return "must match " + in.pattern.String()
	}
	return in.checkFormat(text)
}

// checkFormat checks the formats that are published. Others are names of the provider's own.
func (in *Input) checkFormat(text string) string {
	var err error
	switch in.format {
	case "email":
		_, err = mail.ParseAddress(text)
	case "number":
		_, err = strconv.ParseFloat(text, 64)
	case "uuid":
		if !millrace.IsID(text) {
			return "must be a UUID"
		}
	case "url":
		if u, wrong := url.Parse(text); wrong != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return "must be a URL that begins with https:// or http://"
		}
	}
	if err != nil {
		return map[string]string{"email": "must be an e-mail address", "number": "must be a number"}[in.format]
	}
	return ""
}

// Stored returns a value as stored.
func (in *Input) Stored(v expr.Value) expr.Value {
	text, ok := v.(string)
	if !ok {
		return v
	}
	switch in.transform {
	case "lowercase":
		return strings.ToLower(text)
	case "uppercase":
		return strings.ToUpper(text)
	case "sha256":
		sum := sha256.Sum256([]byte(text))
		return hex.EncodeToString(sum[:])
	}
	return v
}
