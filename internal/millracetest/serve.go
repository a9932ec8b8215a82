package millracetest

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/server"
)

// serveEnv makes a test program a server: see ServeIfAsked.
const serveEnv = "MILLRACE_TEST_SERVE"

// ServeIfAsked turns this program into a server when a [Node] of [NewOwnNode] has started it, and then does not return.
// It is called by TestMain. Such a server is the real one but for shorter pauses before repetitions, which no flag sets.
func ServeIfAsked() {
	if os.Getenv(serveEnv) == "" {
		return
	}
	opts := server.Options{Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	opts.FetchRetries = []time.Duration{20 * time.Millisecond, 40 * time.Millisecond, 80 * time.Millisecond}
	opts.ParkRetries = []time.Duration{50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond}
	opts.Limits.AuthWait = -1 // credentials that expire are an error at once
	flags := flag.NewFlagSet("serve", flag.ExitOnError)
	flags.BoolVar(&opts.Dev, "dev", false, "")
	flags.StringVar(&opts.Addr, "addr", "", "")
	flags.StringVar(&opts.DataDir, "data-dir", "", "")
	flags.StringVar(&opts.Database, "database", "", "")
	flags.StringVar(&opts.EncryptionKey, "encryption-key", "", "")
	_ = flags.Parse(os.Args[2:]) // exits on an error
	if path := os.Getenv(faultsEnv); path != "" {
		opts.Faults = &fileFaults{path: path}
	}
	if err := serve(opts); err != nil {
		opts.Logger.ErrorContext(context.Background(), "serve", slog.String("err", err.Error()))
		os.Exit(1)
	}
	os.Exit(0)
}

func serve(opts server.Options) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, err := server.New(ctx, opts)
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

// NewOwnNode returns a node whose program is this test program, which need not be built first.
func NewOwnNode(t testing.TB, url, key string) *Node {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	n := NewNode(t, self, url, key)
	n.env = []string{serveEnv + "=1"}
	return n
}
