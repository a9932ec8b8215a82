package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/millrace/millrace"
)

// negative is a negative number, which kong takes for a flag.
var negative = regexp.MustCompile(`^-[0-9]`)

// tidyArguments rewrites what people write to what kong reads: help COMMAND is COMMAND --help, and a negative number is the value of
// the flag before it.
func tidyArguments(args []string) []string {
	if len(args) == 0 {
		return []string{"--help"}
	}
	if args[0] == "help" {
		return append(slices.Clone(args[1:]), "--help")
	}
	var out []string
	for _, arg := range args {
		if last := len(out) - 1; last >= 0 && negative.MatchString(arg) && strings.HasPrefix(out[last], "--") && !strings.Contains(out[last], "=") {
			out[last] += "=" + arg
			continue
		}
		out = append(out, arg)
	}
	return out
}

// unsetEmpty takes away variables that are empty: they count as not set, as composed files of containers often leave them.
func unsetEmpty() {
	for _, pair := range os.Environ() {
		if name, value, _ := strings.Cut(pair, "="); value == "" && strings.HasPrefix(name, "MILLRACE_") {
			_ = os.Unsetenv(name)
		}
	}
}

// warnOfVariables warns of variables that look like ours and mean nothing, without their values.
func warnOfVariables(ctx context.Context, app *kong.Application, logger *slog.Logger) {
	var known []string
	eachFlag(app.Node, func(f *kong.Flag) { known = append(known, f.Envs...) })
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, "MILLRACE_") || slices.Contains(known, name) || foreign.MatchString(name) {
			continue
		}
		attrs := []slog.Attr{slog.String("name", name)}
		if near := millrace.Nearest(name, known); near != "" {
			attrs = append(attrs, slog.String("did_you_mean", near))
		}
		logger.LogAttrs(ctx, slog.LevelWarn, "unknown environment variable", attrs...)
	}
}

// foreign are variables that others set: Kubernetes for a service of our name, images, and our own tests.
var foreign = regexp.MustCompile(`^MILLRACE_(SERVICE_(HOST|PORT.*)|PORT(_.*)?|VERSION|TEST_.*)$`)

// checkDatabase returns an error for an address that is none of PostgreSQL. It repeats nothing but the scheme, because the address may
// have a password.
func checkDatabase(parsed *kong.Context) error {
	for _, f := range parsed.Flags() {
		if f.Name != "database" || f.Target.String() == "" {
			continue
		}
		scheme, _, ok := strings.Cut(f.Target.String(), "://")
		switch {
		case ok && (scheme == "postgres" || scheme == "postgresql"):
			if _, err := url.Parse(f.Target.String()); err != nil {
				return fmt.Errorf("%s: is not a URL: characters such as /, @, # and %% in the user name or the password must be percent-encoded", origin(f))
			}
		case ok:
			return fmt.Errorf("%s %s://...: no such kind of database; there are postgres:// (or postgresql://) and, without --database, SQLite in the data directory", origin(f), millrace.Shorten(scheme))
		default:
			return fmt.Errorf("%s: must be an address that begins with postgres:// or postgresql://; without --database, SQLite in the data directory (--data-dir) is used", origin(f))
		}
	}
	return nil
}

// flagHelp is the text of a flag with its default and its variable.
func flagHelp(v *kong.Value) string {
	text := strings.TrimSuffix(v.Help, ".")
	if v.HasDefault && v.Default != "" {
		text += ". Default: " + v.Default
	}
	if len(v.Tag.Envs) > 0 {
		text += " ($" + strings.Join(v.Tag.Envs, ", $") + ")"
	}
	return text + "."
}
