package millrace

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Environment is the isolation boundary: every row belongs to one, and a token sees one.
type Environment struct {
	ID        EnvironmentID `json:"id"`
	Name      string        `json:"name"`
	TeamID    string        `json:"team_id"`
	Weight    int64         `json:"weight" doc:"Its part of what environments share, beside others that want it as well: one of weight 200 gets twice as much as one of 100." minimum:"1" maximum:"1000"`
	Connect   ConnectPage   `json:"connect"`
	CreatedAt Time          `json:"created_at"`
	UpdatedAt Time          `json:"updated_at"`

	NameKey    string `json:"-"` // what the name is compared by; unique
	DeletingAt Time   `json:"-"` // since when it is being deleted; 0: it is not
}

// ConnectPage says how the page looks on which customers connect their accounts, and which other pages may show it.
type ConnectPage struct {
	Name        string   `json:"name" doc:"The name of your product, as customers see it; empty: that of the environment." maxLength:"100"`
	LogoURL     string   `json:"logo_url" doc:"An https address of your logo." maxLength:"2000"`
	Color       string   `json:"color" doc:"Of buttons and links: # and six hexadecimal digits."  maxLength:"7" example:"#0b5fff"`
	Origins     []string `json:"origins" doc:"The origins of the pages that may show the page in a frame or open it, such as https://app.example.com. Only they are told the outcome of a connection." maxItems:"50"`
	CallbackURL string   `json:"callback_url" doc:"An address of your own that providers redirect customers to instead of the server's; requests to it with /connect/{integration}/callback behind it must be passed on to the server." maxLength:"2000"`
}

// color is how a colour is written.
var color = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

// Check returns an error of KindInvalid for settings that the page cannot have.
func (p *ConnectPage) Check() error {
	var failures []Failure
	fail := func(member, message string) {
		failures = append(failures, Failure{Path: "connect." + member, Message: message})
	}
	if p.LogoURL != "" && !isOrigin(p.LogoURL, true) || strings.HasPrefix(p.LogoURL, "http:") {
		fail("logo_url", "must be an https address")
	}
	if p.Color != "" && !color.MatchString(p.Color) {
		fail("color", "must be # and six hexadecimal digits")
	}
	for i, origin := range p.Origins {
		if !isOrigin(origin, false) {
			fail(fmt.Sprintf("origins[%d]", i), "must be an origin: https:// and a host, without a path; http:// is for this machine")
		}
	}
	if p.CallbackURL != "" && !isOrigin(p.CallbackURL, true) {
		fail("callback_url", "must be an https address without query; http:// is for this machine")
	}
	return InvalidAll(failures)
}

// isOrigin reports whether a text is an origin, or, with a path, an address below one.
func isOrigin(text string, path bool) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(text, "?#*;, '\"") || !path && u.Path != "" {
		return false
	}
	local := u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1"
	return u.Scheme == "https" || u.Scheme == "http" && local
}

// EnvironmentNameKey is what names of environments are compared by: without regard to case and spacing.
func EnvironmentNameKey(name string) string {
	return strings.ToLower(strings.Join(strings.Fields(name), " "))
}

// An environment has a weight between these; a new one has the default.
const (
	MinWeight     = 1
	DefaultWeight = 100
	MaxWeight     = 1000
)

// CheckEnvironmentWeight returns an error of KindInvalid for a weight that an environment may not have.
func CheckEnvironmentWeight(weight int64) error {
	if weight < MinWeight || weight > MaxWeight {
		return Invalid("weight", "must be %d to %d", MinWeight, MaxWeight)
	}
	return nil
}

// maxEnvironmentName is how long the name of an environment may be.
const maxEnvironmentName = 200

// CheckEnvironmentName returns an error of KindInvalid for a name that an environment may not have. A name that reads as an id
// could stand for two environments; two names that differ in what cannot be seen look like one.
func CheckEnvironmentName(name string) error {
	switch n := utf8.RuneCountInString(name); {
	case strings.TrimSpace(name) == "":
		return Invalid("name", "must not be empty")
	case n > maxEnvironmentName:
		return Invalid("name", "has %d characters, at most %d are possible", n, maxEnvironmentName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return Invalid("name", "must be text without control characters and without ones that cannot be seen")
	case IsID(strings.TrimSpace(name)):
		return Invalid("name", "must not be a UUID, which would read as the id of an environment")
	}
	return nil
}

// TokenScope says what a token is for.
type TokenScope string

// The scopes of tokens.
const (
	ScopeRead  TokenScope = "read"  // to read in one environment
	ScopeWrite TokenScope = "write" // to do everything in one environment
	ScopeAdmin TokenScope = "admin" // to manage environments and tokens

	// ScopeAccount is that of an [AccountToken]. No API token has it.
	ScopeAccount TokenScope = "account"
)

// FirstEnvironmentID returns the id of the environment that a server creates when there is none. It is the same everywhere,
// so that of two nodes that start at once only one creates it.
func FirstEnvironmentID() EnvironmentID { return DeriveID[EnvironmentID]("environment", "Default") }

// APIToken lets a client act in one environment. Only the SHA-256 of the token is stored.
type APIToken struct {
	ID            APITokenID    `json:"id"`
	EnvironmentID EnvironmentID `json:"environment_id" doc:"Empty: an admin token, which belongs to none."`
	Name          string        `json:"name"`
	Scope         TokenScope    `json:"scope" enum:"read,write,admin"`
	Hash          string        `json:"-"` // SHA-256 of the token, hex
	CreatedBy     string        `json:"created_by" doc:"cli, or the id of the admin token that made it."`
	ExpiresAt     Time          `json:"expires_at"`
	CreatedAt     Time          `json:"created_at"`
	UpdatedAt     Time          `json:"updated_at"`
}

// Integration is the definition of a provider's API.
type Integration struct {
	ID            IntegrationID   `json:"id"`
	EnvironmentID EnvironmentID   `json:"environment_id"`
	Name          string          `json:"name"` // slug, unique in the environment
	Category      string          `json:"category"`
	IsBeta        bool            `json:"is_beta"`
	Sharing       string          `json:"sharing"` // deny, ask, allow
	TeamID        string          `json:"team_id"`
	Version       int64           `json:"version"` // optimistic lock, required on PATCH
	Config        json.RawMessage `json:"config"`
	CreatedAt     Time            `json:"created_at"`
	UpdatedAt     Time            `json:"updated_at"`
}

// EnvironmentIntegration is an installed integration.
type EnvironmentIntegration struct {
	ID            EnvironmentIntegrationID `json:"id"`
	EnvironmentID EnvironmentID            `json:"environment_id"`
	IntegrationID IntegrationID            `json:"integration_id"`
	ShowInCatalog bool                     `json:"show_in_catalog"`
	IsEnabled     bool                     `json:"is_enabled"`
	Override      json.RawMessage          `json:"override"`
	Addressable   bool                     `json:"-"` // hooks may name it by its id alone
	CreatedAt     Time                     `json:"created_at"`
	UpdatedAt     Time                     `json:"updated_at"`
}

// AccountTokenLife is how long a token of an account is good.
const AccountTokenLife = 15 * time.Minute

// AccountToken lets a browser use one account: its data, and its context.
type AccountToken struct {
	Hash          string // SHA-256 of the token
	EnvironmentID EnvironmentID
	AccountID     IntegratedAccountID
	ExpiresAt     Time
}
