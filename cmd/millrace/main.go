// Command millrace is the server and its tools.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/node"
)

// cli is the whole command line. Every flag can also be given as MILLRACE_<FLAG> in the environment or in the
// configuration file; flags win over the environment, the environment wins over the file.
type cli struct {
	Config configFile `help:"Configuration file (YAML with the names of the flags). Without it ./millrace.yaml and /etc/millrace/millrace.yaml are read if they exist." type:"path" env:"MILLRACE_CONFIG" placeholder:"FILE"`

	ShowVersion kong.VersionFlag `name:"version" env:"-" help:"Print the version and exit."` // env: images often set MILLRACE_VERSION

	Serve       serveCmd       `cmd:"" help:"Run the server."`
	Demo        demoCmd        `cmd:"" help:"Show the whole path of the data, from an event to verified webhooks, with no set-up and no network."`
	Environment environmentCmd `cmd:"" help:"Manage environments."`
	Token       tokenCmd       `cmd:"" help:"Manage API tokens."`
	SignInLink  signInLinkCmd  `cmd:"" name:"sign-in-link" help:"Print a link that signs a user in to the dashboard once, also while a server runs."`
	Keys        keysCmd        `cmd:"" help:"Rotate the encryption key."`
	Integration integrationCmd `cmd:"" help:"List, show and install ready integrations."`
	Jsonata     jsonataCmd     `cmd:"" name:"jsonata" help:"Evaluate, check and test expressions."`
	Version     versionCmd     `cmd:"" help:"Print the version."`
}

// streams are the process's inputs and outputs, so that commands can be tested.
type streams struct {
	in       io.Reader
	out, err io.Writer
	terminal bool // out is a terminal
}

// exitError carries an exit code whose cause has been printed already.
type exitError int

// Error implements error.
func (e exitError) Error() string { return fmt.Sprintf("exit %d", int(e)) }

func main() { os.Exit(command()) }

func command() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, os.Args[1:], &streams{os.Stdin, os.Stdout, os.Stderr, isTerminal(os.Stdout)})
}

func run(ctx context.Context, args []string, s *streams) int {
	code, exited := 0, false
	unsetEmpty()
	var files settingsFiles
	parser, err := kong.New(&cli{},
		kong.Name("millrace"),
		kong.Description("Declarative integration workflows: an event, a condition, steps, a sync job run, signed records on your webhook.\n\n"+
			"millrace help COMMAND, or COMMAND --help, says more about a command."),
		kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true}),
		kong.DefaultEnvars("MILLRACE"), kong.Configuration(files.read, defaultConfigFiles()...), kong.ValueFormatter(flagHelp),
		kong.Writers(s.out, s.err), kong.Exit(func(c int) { code, exited = c, true }),
		kong.Vars{"version": versionLine()}, kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(s, &files),
	)
	if err != nil {
		_, _ = fmt.Fprintln(s.err, "millrace:", err)
		return 1
	}
	parsed, err := parser.Parse(tidyArguments(args))
	if exited {
		return code
	}
	if err != nil {
		_, _ = fmt.Fprintf(s.err, "millrace: %v%s\nRun \"millrace help\" for the commands.\n", err, files.where(parser.Model, err.Error()))
		return 2
	}
	if err := readSecrets(parsed, s.err); err != nil {
		_, _ = fmt.Fprintln(s.err, "millrace:", err)
		return 2
	}
	if err := checkDatabase(parsed); err != nil { // after the files, which may hold the address
		_, _ = fmt.Fprintln(s.err, "millrace:", err)
		return 2
	}
	names, _, _ := strings.Cut(parsed.Command(), " <")
	parsed.BindTo(node.WithCommand(ctx, names), (*context.Context)(nil))
	if err := parsed.Run(); err != nil {
		if exit, ok := errors.AsType[exitError](err); ok {
			return int(exit)
		}
		_, _ = fmt.Fprintln(s.err, "millrace:", err)
		return 1
	}
	return 0
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(s *streams) error {
	_, err := fmt.Fprintln(s.out, versionLine())
	return err
}

// versionLine is what --version and the version command print.
func versionLine() string {
	return fmt.Sprintf("millrace %s %s/%s %s", millrace.Version(), runtime.GOOS, runtime.GOARCH, runtime.Version())
}
