package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/millrace/millrace/internal/server"
)

// TestFlagsSayWhereTheyComeFromAndNoSecret reads the flags of serve from a file, the environment and defaults.
func TestFlagsSayWhereTheyComeFromAndNoSecret(t *testing.T) {
	dir := t.TempDir()
	config, password := filepath.Join(dir, "millrace.yaml"), filepath.Join(dir, "password")
	for path, text := range map[string]string{config: "# settings\nkeep-events: 90\nmax-run-time: 72h0m\n", password: "hush-hush\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, value := range map[string]string{
		"MILLRACE_DATABASE": "postgres://ann:hush-hush@db.example/shop", "MILLRACE_ENCRYPTION_KEY": "hush-hush", "MILLRACE_TOKEN_LIMIT": "7", "MILLRACE_ACCOUNT_LIMIT": "50",
		"MILLRACE_SMTP_PASSWORD_FILE": password, "MILLRACE_CONFIG": config,
	} {
		t.Setenv(name, value)
	}
	var files settingsFiles
	parser, err := kong.New(&cli{}, kong.DefaultEnvars("MILLRACE"), kong.Configuration(files.read), kong.Vars{"version": ""}, kong.BindTo(context.Background(), (*context.Context)(nil)))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse([]string{"serve"})
	if err != nil {
		t.Fatal(err)
	}
	if err := readSecrets(parsed, os.Stderr); err != nil {
		t.Fatal(err)
	}
	got := map[string]server.Flag{}
	for _, f := range flagsOf(parsed, &files) {
		got[f.Name] = f
		if strings.Contains(f.Value+f.Source+f.Default, "hush-hush") {
			t.Errorf("%s shows a secret: %+v", f.Name, f)
		}
	}
	for name, want := range map[string]server.Flag{
		"keep-events":    {Value: "90", Default: "30", Changed: true, Source: config + ":2"},
		"max-run-time":   {Value: "72h", Default: "72h"},
		"token-limit":    {Value: "7", Default: "0", Changed: true, Source: "MILLRACE_TOKEN_LIMIT"},
		"account-limit":  {Value: "50", Default: "50"},
		"dev":            {Value: "false"},
		"database":       {Value: "postgres://db.example:5432/shop", Changed: true, Source: "MILLRACE_DATABASE"},
		"encryption-key": {Value: "set", Changed: true, Source: "MILLRACE_ENCRYPTION_KEY"},
		"smtp-password":  {Value: "set", Changed: true, Source: "MILLRACE_SMTP_PASSWORD_FILE"},
	} {
		f := got[name]
		f.Name, f.Help = "", ""
		if f != want {
			t.Errorf("%s: got %+v, want %+v", name, f, want)
		}
	}
	for d, want := range map[time.Duration]string{72 * time.Hour: "72h", 10 * time.Minute: "10m", 500 * time.Millisecond: "500ms", 90 * time.Second: "1m30s", 0: "0s", 3605 * time.Second: "1h0m5s"} {
		if got := valueText(d); got != want {
			t.Errorf("%s is written %q, want %q", d, got, want)
		}
	}
}
