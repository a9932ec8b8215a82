// Command release builds what a release consists of: for each system an archive with the binary, the licence, the notice, the
// readme, the change log and a software bill of materials (CycloneDX), and SHA256SUMS over them. Equal commits with equal Go
// versions give equal bytes, wherever the repository is: the build has no paths, and every time is that of the commit.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const program = "millrace"

// release says what is built.
type release struct {
	version string
	time    time.Time // of everything in the archives
	root    string    // the repository
	out     string    // the directory of the results
}

// target is a system that there is an archive for.
type target struct{ system, arch string }

// String implements fmt.Stringer.
func (t target) String() string { return t.system + "/" + t.arch }

func targets() []target {
	return []target{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}}
}

// only returns the target of one name, or all when there is no name.
func only(name string) ([]target, error) {
	if name == "" {
		return targets(), nil
	}
	for _, t := range targets() {
		if t.String() == name {
			return []target{t}, nil
		}
	}
	return nil, fmt.Errorf("there are no releases for %q", name)
}

func main() {
	log.SetFlags(0)
	version := flag.String("version", "", "version of the release, such as v1.2.3; without it, that of git describe")
	out := flag.String("out", "dist", "directory of the results, which is created or emptied")
	one := flag.String("target", "", "build for one system only, such as linux/amd64")
	flag.Parse()
	if err := run(context.Background(), *version, *out, *one); err != nil {
		log.Fatal("release: ", err)
	}
}

func run(ctx context.Context, version, out, one string) error {
	r := release{root: ".", out: out}
	wanted, err := only(one)
	if err != nil {
		return err
	}
	if r.version, err = r.describe(ctx, version); err != nil {
		return err
	}
	stamp, err := r.output(ctx, nil, "git", "log", "-1", "--format=%ct")
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return fmt.Errorf("time of the commit: %w", err)
	}
	r.time = time.Unix(seconds, 0).UTC()
	if err := errors.Join(os.RemoveAll(r.out), os.MkdirAll(r.out, 0o755)); err != nil { //nolint:gosec // results are for everyone
		return err
	}
	var sums strings.Builder
	for _, t := range wanted {
		names, err := r.build(ctx, t)
		if err != nil {
			return fmt.Errorf("%s: %w", t, err)
		}
		for _, name := range names {
			sum, err := sumOf(filepath.Join(r.out, name))
			if err != nil {
				return err
			}
			fmt.Fprintf(&sums, "%s  %s\n", sum, name)
			log.Print(sum, "  ", name)
		}
	}
	return os.WriteFile(filepath.Join(r.out, "SHA256SUMS"), []byte(sums.String()), 0o644) //nolint:gosec // results are for everyone
}

// describe returns the version, which begins with v and a digit and is fit for names of files.
func (r *release) describe(ctx context.Context, version string) (string, error) {
	if version == "" {
		described, err := r.output(ctx, nil, "git", "describe", "--tags", "--always", "--dirty", "--match", "v[0-9]*")
		if err != nil {
			return "", err
		}
		if version = described; !strings.HasPrefix(version, "v") {
			version = "v0.0.0-" + version
		}
	}
	if len(version) < 2 || version[0] != 'v' || version[1] < '0' || version[1] > '9' || strings.ContainsAny(version, "/\\ \t\n'\"") {
		return "", fmt.Errorf("%q is not a version such as v1.2.3", version)
	}
	return version, nil
}

// build makes the archive and the bill of materials for one system and returns their names.
func (r *release) build(ctx context.Context, t target) ([]string, error) {
	name := fmt.Sprintf("%s_%s_%s_%s", program, r.version, t.system, t.arch)
	dir, err := os.MkdirTemp("", "millrace-release")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary := filepath.Join(dir, program)
	_, err = r.output(ctx, []string{"CGO_ENABLED=0", "GOOS=" + t.system, "GOARCH=" + t.arch, "GOAMD64=v1", "GOARM64=v8.0", "GOEXPERIMENT=", "GOFLAGS="},
		"go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid= -X github.com/millrace/millrace.version="+r.version, "-o", binary, "./cmd/millrace")
	if err != nil {
		return nil, err
	}
	bill, err := r.bill(binary, t)
	if err != nil {
		return nil, err
	}
	billName := name + ".cdx.json"
	if err := os.WriteFile(filepath.Join(r.out, billName), bill, 0o644); err != nil { //nolint:gosec // results are for everyone
		return nil, err
	}
	entries := []entry{{name: program, path: binary, mode: 0o755}}
	for _, file := range []string{"LICENSE", "NOTICE", "README.md", "CHANGELOG.md"} {
		entries = append(entries, entry{name: file, path: filepath.Join(r.root, file), mode: 0o644})
	}
	entries = append(entries, entry{name: "sbom.cdx.json", path: filepath.Join(r.out, billName), mode: 0o644})
	return []string{name + ".tar.gz", billName}, r.archive(name, entries)
}

// output runs a command in the repository and returns what it prints, without the newline at its end.
func (r *release) output(ctx context.Context, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // the commands are those of this program
	cmd.Dir, cmd.Env = r.root, append(os.Environ(), env...)
	var message strings.Builder
	cmd.Stderr = &message
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, args[0], err, strings.TrimSpace(message.String()))
	}
	return strings.TrimSpace(string(out)), nil
}

func sumOf(path string) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:]), nil
}
