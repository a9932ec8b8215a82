package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/millrace/millrace/internal/server"
	"github.com/millrace/millrace/internal/store"
)

// flagsOf says what each flag of a command is and where that comes from. Of one that holds a secret it says only that it is set; of the address of
// a database, which one that is.
func flagsOf(parsed *kong.Context, files *settingsFiles) []server.Flag {
	all := parsed.Flags()
	byFile := map[string]*kong.Flag{} // what a file says, by the flag that it stands for
	for _, f := range all {
		if of := f.Tag.Get("secretof"); of != "" {
			byFile[of] = f
		}
	}
	var out []server.Flag
	for _, f := range all {
		if slices.Contains([]string{"help", "version"}, f.Name) {
			continue
		}
		shown := server.Flag{Name: f.Name, Value: valueText(f.Target.Interface()), Default: f.Default, Help: f.Help}
		from := f
		if file, secret := byFile[f.Name]; secret {
			if shown.Value != "" && f.Name == "database" {
				shown.Value, _ = store.Name(shown.Value) // one that has no name is not opened
			} else if shown.Value != "" {
				shown.Value = "set"
			}
			if file.Target.String() != "" {
				from = file
			}
		}
		if shown.Changed = from.Set && shown.Value != valueOf(f.Default, f.Target.Interface()); shown.Changed {
			shown.Source = files.source(from)
		}
		out = append(out, shown)
	}
	return out
}

// zeros are what Go writes behind the last unit of a duration that is not zero.
var zeros = regexp.MustCompile(`([hm])(0m)?0s$`)

// valueText is a value as it is typed.
func valueText(value any) string {
	switch v := value.(type) {
	case time.Duration:
		return zeros.ReplaceAllString(v.String(), "$1")
	case []string:
		return strings.Join(v, ", ")
	}
	return fmt.Sprint(value)
}

// valueOf is a default as valueText writes it.
func valueOf(text string, like any) string {
	if _, ok := like.(time.Duration); ok {
		if d, err := time.ParseDuration(text); err == nil {
			return valueText(d)
		}
	}
	if _, ok := like.(bool); ok && text == "" {
		return "false"
	}
	return text
}

// source says where a flag got its value: a flag, a variable, or a line of a file.
func (all *settingsFiles) source(f *kong.Flag) string {
	name := origin(f)
	if name != "--"+f.Name || isOnCommandLine(f.Name) {
		return name
	}
	for _, s := range *all {
		if at, ok := s.of[f.Name]; ok && at.value != nil {
			return fmt.Sprintf("%s:%d", s.file, at.line)
		}
	}
	return name
}
