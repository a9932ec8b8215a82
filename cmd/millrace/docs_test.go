package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

var (
	// called is a command in a document: in backticks, or a line of a shell.
	called = regexp.MustCompile("(?m)(?:`|^|\\$\\(|-- )(?:\\./bin/|/usr/bin/|/usr/local/bin/)?millrace((?: [a-z][a-z-]*)+)((?: +[^ `#\n)]+)*)")
	flag   = regexp.MustCompile(` --([a-z][a-z-]*)`)
)

// TestCommandsOfDocuments looks up the commands and flags that documents name.
func TestCommandsOfDocuments(t *testing.T) {
	t.Parallel()
	parser, err := kong.New(&cli{}, kong.Vars{"version": ""})
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../../*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"../../docs/*.md", "../../docs/adr/*.md", "../../deploy/*.md"} {
		more, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, more...)
	}
	found := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range called.FindAllStringSubmatch(string(text), -1) {
			found++
			words := strings.Fields(m[1])
			if len(words) > 0 && words[0] == "help" { // of the command that follows; COMMAND stands for any
				words = slices.DeleteFunc(words[1:], func(w string) bool { return w == "COMMAND" })
			}
			checkCommand(t, filepath.Base(file), parser.Model.Node, words, m[1]+m[2])
		}
	}
	if found < 10 {
		t.Errorf("documents name %d commands, want more: does the test still find them?", found)
	}
}

// checkCommand follows words from command to command until the arguments begin.
func checkCommand(t *testing.T, file string, node *kong.Node, words []string, whole string) {
	t.Helper()
	flags := map[string]bool{}
	for {
		for _, f := range node.Flags {
			flags[f.Name] = true
		}
		if len(node.Children) == 0 {
			break
		}
		if len(words) == 0 {
			break // a group of commands
		}
		next := child(node, words[0])
		if next == nil {
			t.Errorf("%s: millrace%s: there is no command %s", file, whole, words[0])
			return
		}
		node, words = next, words[1:]
	}
	for _, m := range flag.FindAllStringSubmatch(whole, -1) {
		if !flags[m[1]] {
			t.Errorf("%s: millrace%s: the command has no flag --%s", file, whole, m[1])
		}
	}
}

func child(node *kong.Node, name string) *kong.Node {
	for _, c := range node.Children {
		if c.Name == name {
			return c
		}
	}
	return nil
}
