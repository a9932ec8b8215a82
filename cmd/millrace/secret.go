package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// maxSecretFile bounds a file with a secret.
const maxSecretFile = 64 << 10

// readSecrets gives flags the values of the files that stand for them: --x-file for --x. Of the two one may be given.
func readSecrets(parsed *kong.Context, warnings io.Writer) error {
	flags := map[string]*kong.Flag{}
	for _, f := range parsed.Flags() {
		flags[f.Name] = f
	}
	for _, f := range parsed.Flags() {
		of := f.Tag.Get("secretof")
		path := f.Target.String()
		if of == "" || path == "" {
			continue
		}
		value := flags[of]
		if value.Target.String() != "" {
			return fmt.Errorf("%s and %s are both given: give one of them", origin(value), origin(f))
		}
		text, err := readSecret(path, warnings)
		if err == nil && of != "encryption-key" && bytes.ContainsAny(text, "\r\n") {
			err = errors.New("has more than one line")
		}
		if err != nil {
			return fmt.Errorf("%s %s: %w", origin(f), path, err)
		}
		value.Target.SetString(string(text))
	}
	return nil
}

// origin says where the value of a flag comes from, without the value.
func origin(f *kong.Flag) string {
	for _, name := range f.Envs {
		if v := os.Getenv(name); v != "" && !isOnCommandLine(f.Name) {
			return name
		}
	}
	return "--" + f.Name
}

// isOnCommandLine reports whether a flag is among the arguments of the process.
func isOnCommandLine(name string) bool {
	for _, arg := range os.Args[1:] {
		if arg == "--"+name || strings.HasPrefix(arg, "--"+name+"=") {
			return true
		}
	}
	return false
}

// readSecret returns the text of a file without the line break at its end.
func readSecret(path string, warnings io.Writer) ([]byte, error) {
	file, err := os.Open(path) //nolint:gosec // the operator names it
	if err != nil {
		if inner := errors.Unwrap(err); inner != nil {
			err = inner // the path is said already
		}
		return nil, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if mode := info.Mode(); mode.IsRegular() && mode.Perm()&0o007 != 0 {
		_, _ = fmt.Fprintf(warnings, "millrace: warning: the secret in %s may be read or changed by everyone on this machine (mode %04o); run: chmod o-rwx %s\n", path, mode.Perm(), path)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxSecretFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxSecretFile:
		return nil, fmt.Errorf("has more than %d KiB, which is no secret", maxSecretFile>>10)
	}
	if text = bytes.TrimRight(text, "\r\n"); len(text) == 0 {
		return nil, errors.New("the file is empty")
	}
	return text, nil
}
