// Package demo shows the whole path of the data on one machine, without set-up and without a network: it starts a
// server, the API of a small provider and a webhook receiver, sends the requests of the documentation, and checks what
// arrives.
package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/millrace/millrace/client"
	"github.com/millrace/millrace/examples"
	"github.com/millrace/millrace/internal/server"
)

// Options configure the demo. Out is required.
type Options struct {
	Out      io.Writer
	Terminal bool // Out is a terminal
	Keep     bool // leave the server running until the context ends
	Bookings int  // how many records the API has; 0: 342

	DataDir  string // of the server, which stays; empty: it is removed in the end
	Database string // PostgreSQL; empty: SQLite in the data directory
}

const (
	defaultBookings = 342
	pageSize        = 25
	apiKey          = "cal_demo_key" //nolint:gosec // of an API that lives as long as the demo
	deadline        = 2 * time.Minute
	lookEvery       = 20 * time.Millisecond
)

// ErrFailed says that the checks at the end did not hold; what failed has been printed.
var ErrFailed = errors.New("the demo's checks failed")

type demo struct {
	opts     Options
	screen   *screen
	dir      string
	server   *server.Server
	api      *client.Client
	receiver *receiver
	bookings []booking
	desk     *desk
	deskURL  string // of a provider that customers sign in at
	provider string // base URL of the API
	hook     string // URL of the receiver
	token    string
	board    string // address of a link to the dashboard
	account  string
	began    time.Time
}

// Run shows the demo. It returns ErrFailed when records are missing, doubled or out of order, or when a signature is
// wrong.
func Run(ctx context.Context, opts Options) error {
	if opts.Bookings <= 0 {
		opts.Bookings = defaultBookings
	}
	d := &demo{opts: opts, screen: &screen{out: opts.Out, terminal: opts.Terminal}, began: time.Now()} //nolint:forbidigo // shown to people
	d.bookings = bookings(opts.Bookings)
	d.receiver, d.desk = &receiver{seen: map[string]bool{}}, &desk{}
	dir, err := os.MkdirTemp("", "millrace-demo-")
	if err != nil {
		return err
	}
	d.dir = dir
	defer func() { _ = os.RemoveAll(dir) }()
	stop, err := d.start(ctx)
	if err != nil {
		return err
	}
	defer stop()
	shown, cancel := context.WithTimeoutCause(ctx, deadline, errors.New("the demo took longer than two minutes"))
	defer cancel()
	err = d.show(shown)
	if err != nil || !opts.Keep {
		return err
	}
	d.sayNext()
	<-ctx.Done()
	d.screen.line("\nstopping")
	return nil
}

// start brings up the three servers.
func (d *demo) start(ctx context.Context) (func(), error) {
	data := cmp.Or(d.opts.DataDir, filepath.Join(d.dir, "data"))
	log, err := os.Create(filepath.Join(d.dir, "server.log"))
	if err != nil {
		return nil, err
	}
	var stops []func()
	stop := func() {
		for _, end := range slices.Backward(stops) {
			end()
		}
		_ = log.Close()
	}
	for _, s := range []struct {
		url     *string
		handler http.Handler
	}{{&d.provider, &calcom{apiKey, d.bookings}}, {&d.deskURL, d.desk}, {&d.hook, d.receiver}} {
		url, end, err := listen(ctx, s.handler)
		if err != nil {
			stop()
			return nil, err
		}
		*s.url = url
		stops = append(stops, end)
	}
	d.server, err = server.New(ctx, server.Options{
		Addr: "127.0.0.1:0", DataDir: data, Database: d.opts.Database, Dev: true,
		Logger: slog.New(slog.NewTextHandler(log, nil)), OnToken: func(t string) { d.token = t },
		OnSignIn: func(address string) { d.board = address },
	})
	if err == nil {
		err = d.server.Start(ctx)
	}
	if err != nil {
		stop()
		return nil, err
	}
	stops = append(stops, func() { _ = d.server.Stop(ctx) })
	d.api = &client.Client{Base: "http://" + d.server.Addr(), Token: d.token}
	return stop, nil
}

func listen(ctx context.Context, h http.Handler) (string, func(), error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = s.Serve(l) }()
	return "http://" + l.Addr().String(), func() { _ = s.Close() }, nil
}

// show walks the path of the data and checks its end.
func (d *demo) show(ctx context.Context) error {
	s := d.screen
	s.line("%s  an event -> a condition -> steps -> a sync job run -> signed records, in order", s.paint("1", "Millrace demo"))
	s.title("Four servers on this machine")
	s.hop("millrace", "%s  state in one SQLite file", d.api.Base)
	s.hop("calcom", "%s  the API of a provider: %d bookings behind an API key, %d a page", d.provider, len(d.bookings), pageSize)
	s.hop("desk", "%s  a provider that customers sign in at (OAuth); its access tokens last %s", d.deskURL, tokenTime)
	s.hop("receiver", "%s  your webhook: verifies both signatures of every request", d.hook)
	s.title("Described once")
	if err := d.describe(ctx); err != nil {
		return err
	}
	s.title("Then it happens")
	run, err := d.follow(ctx)
	if err != nil {
		return err
	}
	s.title("Another customer signs in")
	account, err := d.signIn(ctx)
	if err != nil {
		return err
	}
	return d.summary(ctx, run, account)
}

func (d *demo) sayNext() {
	d.screen.title("The server keeps running; stop it with Ctrl-C")
	d.screen.line("  address    %s\n  token      %s\n  data       %s\n  dashboard  %s\n", d.api.Base, d.token, d.dir, d.board)
	d.screen.line("Try next: what was decided about the last event, and why")
	d.screen.line("  curl -s -H 'Authorization: Bearer %s' '%s/event?limit=1'", d.token, d.api.Base)
	d.screen.line("Sync again:")
	d.screen.line("  curl -s -X POST -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' %s/sync-job-run \\", d.token, d.api.Base)
	d.screen.line(`    -d '{"sync_job_id":"%s","integrated_account_id":"%s","webhook_id":"%s"}'`, examples.SyncJobID, d.account, examples.WebhookID)
}

// poll calls look until it reports that it is done.
func poll(ctx context.Context, what string, look func() (bool, error)) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		done, err := look()
		if err != nil || done {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, context.Cause(ctx))
		case <-ticker.C:
		}
	}
}
