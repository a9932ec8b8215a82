package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/node"
	"github.com/millrace/millrace/internal/server"
)

// databaseFlags say where the state is. They are shared by the commands that open it.
type databaseFlags struct {
	DataDir      string `help:"Directory of the SQLite database and the key file." type:"path" default:"./data" placeholder:"DIR"`
	Database     string `help:"PostgreSQL address (postgres://user:password@host/database). Without it, SQLite in the data directory." placeholder:"URL"`
	DatabaseFile string `help:"File with that address." secretof:"database" placeholder:"FILE"`

	EncryptionKey     string `help:"32 bytes in base64 that seal credentials; behind a comma, older keys that still decrypt. Without it, a key file in the data directory." placeholder:"KEY"`
	EncryptionKeyFile string `help:"File with the encryption key; on further lines, older ones." secretof:"encryption-key" placeholder:"FILE"`
}

func (f *databaseFlags) options(logger *slog.Logger) server.Options {
	return server.Options{DataDir: f.DataDir, Database: f.Database, EncryptionKey: f.EncryptionKey, KeySource: f.EncryptionKeyFile, Logger: logger}
}

// quiet returns the options of a command that only says what goes wrong.
func (f *databaseFlags) quiet(s *streams) node.Options {
	opts := f.options(newLogger(s.err, "text", "warn"))
	return opts.Storage()
}

// limitFlags bound what sync job runs and workflows may do.
type limitFlags struct {
	MaxPages         int64         `help:"Pages of one request of a sync job run, or of one element of its loop." default:"100000" placeholder:"N"`
	MaxRecursion     int64         `help:"How deep a request of a sync job run may recurse." default:"32" placeholder:"N"`
	MaxRunTime       time.Duration `help:"How long a sync job run may be worked on, without the time in which it waits." default:"72h" placeholder:"DURATION"`
	MaxAuthWait      time.Duration `help:"How long a sync job run waits for an account that must be connected again; 0: not at all." default:"168h" placeholder:"DURATION"`
	MaxPageSize      int           `help:"Size of a response of a provider, in MiB." default:"32" placeholder:"MIB"`
	MaxDeliverySize  int           `help:"Size of a delivery of records, in MiB. What is more is divided among several." default:"16" placeholder:"MIB"`
	MaxSpoolSize     int           `help:"What a spool of a sync job run may collect, in MiB." default:"32" placeholder:"MIB"`
	MaxFanOut        int64         `help:"Workflow runs that one event may cause, directly or through events of these runs." default:"10000" placeholder:"N"`
	ConditionBudget  time.Duration `help:"How much of each second conditions and other expressions of an environment's workflows and inbound hooks may take." default:"500ms" placeholder:"DURATION"`
	MaxRateLimitWait time.Duration `help:"How long a provider may keep an account waiting before the next request is made anyway." default:"1h" placeholder:"DURATION"`
}

// maxSize bounds the sizes, in MiB: what is stored must be read again.
const maxSize = 128

func (f *limitFlags) check() error {
	for name, n := range map[string]int{"max-page-size": f.MaxPageSize, "max-delivery-size": f.MaxDeliverySize, "max-spool-size": f.MaxSpoolSize} {
		if n < 1 || n > maxSize {
			return fmt.Errorf("--%s %d: must be 1 to %d", name, n, maxSize)
		}
	}
	switch {
	case f.MaxPages < 1:
		return fmt.Errorf("--max-pages %d: must be at least 1", f.MaxPages)
	case f.MaxRecursion < 1 || f.MaxRecursion > 1000:
		return fmt.Errorf("--max-recursion %d: must be 1 to 1000", f.MaxRecursion)
	case f.MaxRunTime < time.Second:
		return fmt.Errorf("--max-run-time %s: must be at least 1s", f.MaxRunTime)
	case f.MaxAuthWait < 0:
		return fmt.Errorf("--max-auth-wait %s: must be at least 0s", f.MaxAuthWait)
	case f.MaxFanOut < 1:
		return fmt.Errorf("--max-fan-out %d: must be at least 1", f.MaxFanOut)
	case f.ConditionBudget < time.Millisecond || f.ConditionBudget > time.Minute:
		return fmt.Errorf("--condition-budget %s: must be 1ms to 1m", f.ConditionBudget)
	case f.MaxRateLimitWait < time.Second || f.MaxRateLimitWait > 24*time.Hour:
		return fmt.Errorf("--max-rate-limit-wait %s: must be 1s to 24h", f.MaxRateLimitWait)
	}
	return nil
}

func (f *limitFlags) limits() server.Limits {
	const mib = 1 << 20
	authWait := f.MaxAuthWait
	if authWait == 0 {
		authWait = -1
	}
	return server.Limits{
		AuthWait: authWait,
		Pages:    f.MaxPages, Recursion: f.MaxRecursion, RunTime: f.MaxRunTime, RateLimitWait: f.MaxRateLimitWait,
		FanOut: f.MaxFanOut, ConditionTime: f.ConditionBudget,
		Page: int64(f.MaxPageSize) * mib, Delivery: f.MaxDeliverySize * mib, Spool: f.MaxSpoolSize * mib,
	}
}

// keepFlags say how long rows are kept.
type keepFlags struct {
	KeepDeliveries   int `help:"Days that deliveries to webhooks are kept, with their attempts; 0: forever." default:"30" placeholder:"DAYS"`
	KeepEvents       int `help:"Days that events are kept, with the decisions about them; 0: forever." default:"30" placeholder:"DAYS"`
	KeepWorkflowRuns int `help:"Days that workflow runs are kept, with their steps; 0: forever." default:"30" placeholder:"DAYS"`
	KeepSyncJobRuns  int `help:"Days that sync job runs are kept; 0: forever." default:"30" placeholder:"DAYS"`
	KeepRunLogs      int `help:"Days that the log lines of sync job runs are kept; 0: forever." default:"30" placeholder:"DAYS"`
	KeepFires        int `help:"Days that the log of schedules is kept; 0: forever." default:"30" placeholder:"DAYS"`
	KeepCallLogs     int `help:"Days that the log of calls of the proxy API is kept; 0: forever." default:"30" placeholder:"DAYS"`
	KeepAudit        int `help:"Days that the audit log is kept; 0: forever." default:"365" placeholder:"DAYS"`
	KeepInboundHooks int `help:"Days that requests of providers are kept; 0: forever." default:"30" placeholder:"DAYS"`
}

// maxKeep bounds the days, so that they fit a duration.
const maxKeep = 36500

func (f *keepFlags) days() map[millrace.Kept]int {
	return map[millrace.Kept]int{
		millrace.KeptDeliveries: f.KeepDeliveries, millrace.KeptEvents: f.KeepEvents, millrace.KeptWorkflowRuns: f.KeepWorkflowRuns,
		millrace.KeptSyncJobRuns: f.KeepSyncJobRuns, millrace.KeptRunLogs: f.KeepRunLogs, millrace.KeptFires: f.KeepFires,
		millrace.KeptInboundHooks: f.KeepInboundHooks, millrace.KeptCallLogs: f.KeepCallLogs, millrace.KeptAudit: f.KeepAudit,
	}
}

func (f *keepFlags) check() error {
	days := f.days()
	for _, kind := range millrace.KeptKinds() {
		if n := days[kind]; n < 0 || n > maxKeep {
			return fmt.Errorf("--keep-%s %d: must be 0 to %d days", strings.ReplaceAll(string(kind), "_", "-"), n, maxKeep)
		}
	}
	return nil
}

func (f *keepFlags) keep() map[millrace.Kept]time.Duration {
	out := map[millrace.Kept]time.Duration{}
	for kind, n := range f.days() {
		out[kind] = time.Duration(n) * 24 * time.Hour
	}
	return out
}

// smtpFlags say through which server notifications are mailed.
type smtpFlags struct {
	SMTPHost     string `name:"smtp-host" help:"SMTP server for notifications by mail. It must be public or in a network that is allowed." placeholder:"HOST"`
	SMTPPort     int    `name:"smtp-port" help:"Its port." default:"587" placeholder:"N"`
	SMTPUser     string `name:"smtp-user" help:"User name for it; without one, no authentication." placeholder:"NAME"`
	SMTPPassword string `name:"smtp-password" help:"Password for it." placeholder:"PASSWORD"`

	SMTPPasswordFile string `name:"smtp-password-file" help:"File with that password." secretof:"smtp-password" placeholder:"FILE"`

	SMTPFrom string `name:"smtp-from" help:"Sender of the mails." placeholder:"ADDRESS"`
	SMTPTLS  string `name:"smtp-tls" help:"Protection of the connection: starttls, tls (from the first byte) or none." enum:"starttls,tls,none" default:"starttls"`
}

// server returns the SMTP server, or nil when there is none.
func (f *smtpFlags) server() *server.SMTP {
	if f.SMTPHost == "" {
		return nil
	}
	return &server.SMTP{
		Host: f.SMTPHost, Port: f.SMTPPort, User: f.SMTPUser, Password: f.SMTPPassword, From: f.SMTPFrom, TLS: server.SMTPMode(f.SMTPTLS),
	}
}

type serveCmd struct {
	databaseFlags
	limitFlags
	keepFlags
	smtpFlags
	oidcFlags
	Addr              string        `help:"Address to listen on." default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
	TokenFile         string        `help:"File that the first start writes the first API token to, instead of printing it on the terminal." type:"path" placeholder:"FILE"`
	PublicURL         string        `help:"Address of the server as browsers know it, such as https://connect.example.com: customers come to the connect page under it, and providers send them back to it." placeholder:"URL"`
	MetricsAddr       string        `help:"Address to serve metrics for Prometheus on, at /metrics and without any token; empty: nowhere." placeholder:"HOST:PORT"`
	Dev               bool          `help:"Development: webhooks and providers' APIs may be on this machine."`
	AllowNetwork      []string      `help:"Network that webhooks and providers' APIs may be in although it is not public, such as 10.1.0.0/16. Repeatable." placeholder:"CIDR"`
	HeaderPrefix      string        `help:"Prefix of the signature header, X-<prefix>-Signature." default:"Truto"`
	UserAgent         string        `help:"User-Agent of deliveries." default:"truto"`
	TokenLimit        int           `help:"Requests in 10 seconds for each API token; 0: any number." default:"0" placeholder:"N"`
	AccountLimit      int           `help:"Requests in 10 seconds for each account through the proxy and custom APIs; 0: any number." default:"50" placeholder:"N"`
	InboundLimit      int           `help:"Requests in 10 seconds that providers may make to one account or installation; 0: any number." default:"1000" placeholder:"N"`
	InboundBytesLimit int           `help:"MiB of bodies in 10 seconds that providers may send to one account or installation; 0: any number." default:"32" placeholder:"MIB"`
	EnvWorkers        int           `name:"environment-workers" help:"Part of the workers that one environment may use, of those that the others leave free, in percent." default:"50" placeholder:"PERCENT"`
	LogFormat         string        `help:"Format of the log: text or json." enum:"text,json" default:"text"`
	LogLevel          string        `help:"Least level that is logged: debug, info, warn, error." enum:"debug,info,warn,error" default:"info"`
	MemoryBudget      int           `help:"Memory in MiB that request bodies, responses and pages of providers may take at once; requests beyond it wait or get 503." default:"256" placeholder:"MIB"`
	MaxFailure        time.Duration `help:"How long a webhook may fail, without a success in between, before it is set inactive." default:"120h" placeholder:"DURATION"`
}

// Validate implements kong's check.
func (c *serveCmd) Validate() error {
	err := errors.Join(c.limitFlags.check(), c.keepFlags.check(), c.oidcFlags.check(c.PublicURL, c.Dev))
	for name, n := range map[string]int{"token-limit": c.TokenLimit, "account-limit": c.AccountLimit, "inbound-limit": c.InboundLimit} {
		if n < 0 {
			err = errors.Join(err, fmt.Errorf("--%s %d: must be at least 0", name, n))
		}
	}
	if c.SMTPPort < 1 || c.SMTPPort > 65535 {
		err = errors.Join(err, fmt.Errorf("--smtp-port %d: must be 1 to 65535", c.SMTPPort))
	}
	if c.MaxFailure < time.Minute {
		err = errors.Join(err, fmt.Errorf("--max-failure %s: must be at least 1m", c.MaxFailure))
	}
	if c.MemoryBudget < leastMemory || c.MemoryBudget > mostMemory {
		err = errors.Join(err, fmt.Errorf("--memory-budget %d: must be %d to %d MiB", c.MemoryBudget, leastMemory, mostMemory))
	}
	if c.EnvWorkers < 1 || c.EnvWorkers > 100 {
		err = errors.Join(err, fmt.Errorf("--environment-workers %d: must be 1 to 100 percent", c.EnvWorkers))
	}
	for _, text := range c.AllowNetwork {
		if _, wrong := netip.ParsePrefix(text); wrong != nil {
			err = errors.Join(err, fmt.Errorf("--allow-network %s: not a network such as 10.1.0.0/16", text))
		}
	}
	if u, wrong := url.Parse(c.PublicURL); c.PublicURL != "" && (wrong != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" || u.User != nil) {
		err = errors.Join(err, fmt.Errorf("--public-url %s: must be an address such as https://connect.example.com", c.PublicURL))
	}
	if n := c.InboundBytesLimit; n != 0 && (n < 4 || n > 1<<20) {
		err = errors.Join(err, fmt.Errorf("--inbound-bytes-limit %d: must be 0 or 4 to %d MiB, because one body may have 4", n, 1<<20))
	}
	return err
}

// Run serves until the process is asked to stop by a signal.
func (c *serveCmd) Run(ctx context.Context, parsed *kong.Context, files *settingsFiles, s *streams) error {
	logger := newLogger(s.err, c.LogFormat, c.LogLevel)
	warnOfVariables(ctx, parsed.Model, logger)
	opts := c.options(logger)
	opts.Flags = flagsOf(parsed, files)
	opts.Addr, opts.Dev, opts.HeaderPrefix, opts.UserAgent = c.Addr, c.Dev, c.HeaderPrefix, c.UserAgent
	opts.MetricsAddr, opts.PublicURL = c.MetricsAddr, c.PublicURL
	opts.MaxFailure, opts.SMTP, opts.OIDC = c.MaxFailure, c.server(), c.provider()
	opts.Memory = int64(c.MemoryBudget) << 20
	limitMemory(opts.Memory)
	opts.TokenLimit, opts.AccountLimit, opts.InboundLimit = c.TokenLimit, c.AccountLimit, c.InboundLimit
	opts.InboundBytes = c.InboundBytesLimit << 20
	opts.Percent = c.EnvWorkers
	for _, text := range c.AllowNetwork {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return fmt.Errorf("--allow-network %s: %w", text, err)
		}
		opts.AllowNetworks = append(opts.AllowNetworks, network)
	}
	opts.Limits, opts.Keep = c.limits(), c.keep()
	opts.TokenFile, opts.Warm = c.TokenFile, true
	if c.TokenFile == "" && s.terminal { // what is no terminal is often a log
		opts.OnToken = func(token string) {
			_, _ = fmt.Fprintf(s.out, "First API token (shown once, keep it): %s\n", token)
		}
	}
	if s.terminal {
		opts.OnSignIn = func(address string) {
			_, _ = fmt.Fprintf(s.out, "Dashboard (the link signs you in once): %s\n", address)
		}
	}
	srv, err := server.New(ctx, opts)
	if err != nil {
		return err
	}
	return srv.Run(ctx)
}

// Bounds of --memory-budget in MiB, and what the server takes beside it.
const (
	leastMemory, mostMemory = 64, 1 << 20
	besideBudget            = 128 << 20
)

// limitMemory makes the collector work harder as the heap comes near the budget and what the server takes beside it. That
// does not bound memory, the budget does; it keeps what is not needed any more from standing beside what is. GOMEMLIMIT
// wins.
func limitMemory(budget int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(budget + besideBudget)
	}
}

func newLogger(w io.Writer, format, level string) *slog.Logger {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		least = slog.LevelInfo
	}
	opts := &slog.HandlerOptions{Level: least}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}
