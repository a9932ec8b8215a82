package server

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dashboard/settings"
	"github.com/millrace/millrace/internal/deliver/notify"
	"github.com/millrace/millrace/internal/node"
	"github.com/millrace/millrace/internal/oidc"
	"github.com/millrace/millrace/internal/store"
)

// Options configure a server. DataDir and Logger are required.
type Options struct {
	Addr          string         // where to listen; empty: 127.0.0.1:8080
	DataDir       string         // SQLite file, key file and lock
	Database      string         // postgres://...; empty: SQLite in DataDir
	EncryptionKey string         // 32 bytes in base64, further ones that still decrypt below; empty: a key file in DataDir
	KeySource     string         // where EncryptionKey comes from, for messages; empty: the flag
	Dev           bool           // outbound requests may go to this machine
	AllowNetworks []netip.Prefix // further networks that outbound requests may go to
	HeaderPrefix  string         // of the signature header; empty: Truto
	UserAgent     string         // of deliveries; empty: truto
	PublicURL     string         // of the server, as browsers know it; empty: http:// and the address it listens on
	MetricsAddr   string         // where to serve metrics, without any token; empty: nowhere
	Logger        *slog.Logger
	Clock         func() time.Time // nil: time.Now
	OnToken       func(string)     // called with the token that the first start creates, once the server listens
	OnSignIn      func(string)     // called with the address of a link to the dashboard, while no user has signed in
	TokenFile     string           // where the first start writes that token instead
	TokenLimit    int              // requests in 10 s for each API token; 0: any number
	AccountLimit  int              // of the proxy API and the custom API, for each account; 0: any number
	InboundLimit  int              // of providers to us, for each account or installation; 0: any number
	InboundBytes  int              // of their bodies in 10 s, for each account or installation; 0: any number
	Percent       int              // of the workers that others leave free, for one environment; 0: 50
	Warm          bool             // connections to PostgreSQL are opened before they are needed
	FetchRetries  []time.Duration  // pauses before a request to a provider that failed is repeated; nil: 1 s to 1 min
	MaxFailure    time.Duration    // how long a webhook may fail before it is set inactive; 0: 5 days
	ParkRetries   []time.Duration  // pauses before a webhook that parked a run is tried again; nil: 1 min to 10 h

	// OIDC is the identity provider with which people sign in to the dashboard; nil: there is none.
	OIDC *OIDC

	// SMTP sends notifications by mail; nil: none are sent. Its Dial is set by the server.
	SMTP *SMTP

	Limits Limits
	Memory int64 // bytes that bodies, responses and pages of providers may take at once; 0: memory.Default

	Keep map[millrace.Kept]time.Duration // how long rows are kept; a kind that is absent or 0: forever

	Flags []Flag // how the process was started, for the page about the server; nil: not known

	Faults store.Faults // of the database, for tests; nil: none
}

// Storage says which database the server uses.
func (o *Options) Storage() node.Options {
	return node.Options{
		DataDir: o.DataDir, Database: o.Database, EncryptionKey: o.EncryptionKey, KeySource: o.KeySource, Logger: o.Logger, Clock: o.Clock,
		Warm: o.Warm, Faults: o.Faults,
	}
}

// OIDC says which identity provider there is, and whom it lets in.
type OIDC struct {
	oidc.Settings
	Domains []string      // of addresses that get an account of their own accord
	Role    millrace.Role // that they begin with
	Only    bool          // passwords are off
}

// Flag is a setting as the page about the server shows it.
type Flag = settings.Flag

// SMTP is a server that takes mails, and how it is spoken to.
type SMTP = notify.Mailer

// SMTPMode says how the connection is protected: starttls, tls or none.
type SMTPMode = notify.TLSMode

// Limits bound what sync job runs and workflows may do. Each of them is a default when it is 0.
type Limits struct {
	Pages         int64         // of one request, or of one element of its loop; 100,000
	Recursion     int64         // how deep a request may recurse; 32
	RunTime       time.Duration // that a run may be worked on, without the time in which it waits; 72 h
	Page          int64         // bytes of a response of a provider; 32 MiB
	Delivery      int           // bytes of a delivery of records; 16 MiB
	Spool         int           // bytes that a spool may collect; 32 MiB
	FanOut        int64         // workflow runs that one event may cause, directly or through others; 10,000
	ConditionTime time.Duration // of each second that expressions of workflows and hooks of one environment may take; 500 ms
	AuthWait      time.Duration // how long a run waits for an account that must be connected again; 7 days; negative: not at all
	RateLimitWait time.Duration // how long a provider may keep an account waiting before the next request is made anyway; 1 h
}

// conditionTime is how much of each second expressions of one environment may take by default.
const conditionTime = 500 * time.Millisecond
