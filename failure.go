package millrace

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// FailuresOf returns what an error says as findings below a path, which may be empty.
func FailuresOf(path string, err error) []Failure {
	if err == nil {
		return nil
	}
	known, ok := errors.AsType[*Error](err)
	if !ok || len(known.Failures) == 0 {
		return []Failure{{Path: path, Message: err.Error()}}
	}
	if path == "" {
		return known.Failures
	}
	out := make([]Failure, len(known.Failures))
	for i, f := range known.Failures {
		switch {
		case f.Path == path || f.IsBelow(path):
		case f.Path == "":
			f.Path = path
		default:
			f.Path = path + "." + f.Path
		}
		out[i] = f
	}
	return out
}

// IsBelow reports whether a finding is about a part of what is at a path.
func (f *Failure) IsBelow(path string) bool {
	return strings.HasPrefix(f.Path, path+".") || strings.HasPrefix(f.Path, path+"[")
}

// Shorten returns a text as it can be quoted in a message, without filling it.
func Shorten(s string) string {
	const most = 80
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "..."
}
