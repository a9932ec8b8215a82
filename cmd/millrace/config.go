package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"golang.org/x/term"

	"github.com/millrace/millrace"
)

// configFile is the flag that names the configuration file.
type configFile = kong.ConfigFlag

func defaultConfigFiles() []string { return []string{"millrace.yaml", "/etc/millrace/millrace.yaml"} }

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// setting is a value of a configuration file.
type setting struct {
	value any
	line  int
}

// settings are a configuration file.
type settings struct {
	file string
	of   map[string]setting
}

// settingsFiles are the configuration files that are read, for messages about what they say.
type settingsFiles []*settings

// read reads a configuration file: a YAML mapping from the names of flags to their values. Its errors quote nothing of the file, which
// may hold secrets.
func (all *settingsFiles) read(r io.Reader) (kong.Resolver, error) {
	s := &settings{file: "configuration file", of: map[string]setting{}}
	if named, ok := r.(interface{ Name() string }); ok {
		s.file = named.Name()
	}
	text, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("read configuration file: %w", err)
	}
	parsed, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %s", s.file, yaml.FormatError(err, false, false))
	}
	for _, doc := range parsed.Docs {
		if err := s.add(doc.Body); err != nil {
			return nil, err
		}
	}
	*all = append(*all, s)
	return s, nil
}

func (s *settings) add(body ast.Node) error {
	var members []*ast.MappingValueNode
	switch node := body.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode:
		return nil
	case *ast.MappingNode:
		members = node.Values
	case *ast.MappingValueNode:
		members = []*ast.MappingValueNode{node}
	default:
		return fmt.Errorf("%s:%d: must be lines of the form name: value", s.file, body.GetToken().Position.Line)
	}
	for _, m := range members {
		at := setting{line: m.Key.GetToken().Position.Line}
		name := m.Key.GetToken().Value
		if before, ok := s.of[name]; ok {
			return fmt.Errorf("%s:%d: %q is set on line %d already", s.file, at.line, name, before.line)
		}
		switch node := m.Value.(type) {
		case *ast.NullNode: // nothing is said
		case *ast.StringNode:
			at.value = node.Value
		case *ast.LiteralNode:
			at.value = node.Value.Value
		case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
			at.value = node.GetToken().Value // as written, as on the command line
		case *ast.SequenceNode:
			var list []any
			if err := yaml.NodeToValue(node, &list); err != nil {
				return fmt.Errorf("%s:%d: %s is not a list of values", s.file, at.line, name)
			}
			at.value = list
		default:
			return fmt.Errorf("%s:%d: %s must be a value or a list of values", s.file, at.line, name)
		}
		s.of[name] = at
	}
	return nil
}

// Validate rejects names that no flag has: a typing error must not go unnoticed.
func (s *settings) Validate(app *kong.Application) error {
	var known []string
	eachFlag(app.Node, func(f *kong.Flag) {
		if !slices.Contains([]string{"help", "version", "config"}, f.Name) {
			known = append(known, f.Name)
		}
	})
	var unknown []string
	for name := range s.of {
		if !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	slices.SortFunc(unknown, func(a, b string) int { return cmp.Compare(s.of[a].line, s.of[b].line) })
	var errs []error
	for _, name := range unknown {
		f := millrace.Failure{Message: fmt.Sprintf("%s:%d: unknown setting %q", s.file, s.of[name].line, millrace.Shorten(name))}
		f.Suggest(name, known)
		errs = append(errs, errors.New(f.Message))
	}
	return errors.Join(errs...)
}

// eachFlag calls fn with the flags of all commands.
func eachFlag(n *kong.Node, fn func(*kong.Flag)) {
	for _, flag := range n.Flags {
		fn(flag)
	}
	for _, child := range n.Children {
		eachFlag(child, fn)
	}
}

// Resolve implements kong.Resolver. It leaves alone what the environment says, which wins.
func (s *settings) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if os.Getenv(name) != "" {
			return nil, nil
		}
	}
	return s.of[flag.Name].value, nil
}

// where says in which file and on which line a flag that an error names got its value, "" when it was not in a file.
func (all *settingsFiles) where(app *kong.Application, message string) string {
	found := ""
	eachFlag(app.Node, func(f *kong.Flag) {
		if !strings.Contains(message+" ", "--"+f.Name+" ") && !strings.Contains(message, "--"+f.Name+":") || origin(f) != "--"+f.Name || isOnCommandLine(f.Name) {
			return
		}
		for _, s := range *all {
			if at, ok := s.of[f.Name]; ok && at.value != nil {
				found = fmt.Sprintf(" (%s:%d)", s.file, at.line)
			}
		}
	})
	return found
}
