package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
	"golang.org/x/term"
)

// configFile is the flag that names the configuration file.
type configFile = kong.ConfigFlag

func defaultConfigFiles() []string { return []string{"millrace.yaml", "/etc/millrace/millrace.yaml"} }

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// fileResolver answers flags from a configuration file.
type fileResolver map[string]any

// readConfig reads a configuration file: a YAML mapping from the names of flags to their values.
func readConfig(r io.Reader) (kong.Resolver, error) {
	text, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("read configuration file: %w", err)
	}
	values := fileResolver{}
	if err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&values); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	return values, nil
}

// Validate refuses names that no flag has: a typing error must not go unnoticed.
func (f fileResolver) Validate(app *kong.Application) error {
	known := map[string]bool{}
	var collect func(n *kong.Node)
	collect = func(n *kong.Node) {
		for _, flag := range n.Flags {
			known[flag.Name] = true
		}
		for _, child := range n.Children {
			collect(child)
		}
	}
	collect(app.Node)
	for name := range f {
		if !known[name] {
			return fmt.Errorf("configuration file: unknown setting %q", name)
		}
	}
	return nil
}

// Resolve implements kong.Resolver. It leaves alone what the environment says, which wins.
func (f fileResolver) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if os.Getenv(name) != "" {
			return nil, nil
		}
	}
	return f[flag.Name], nil
}
