package millrace

import "runtime/debug"

// version is set when a release is built, with -ldflags "-X github.com/millrace/millrace.version=v1.2.3".
var version string

// Version returns the version of this binary: that of the release, else what the Go tool recorded from the module or the
// repository, else "devel".
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Path == "github.com/millrace/millrace" && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}
