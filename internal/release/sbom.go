package main

import (
	"cmp"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// The parts of a CycloneDX 1.5 document that we write.
type (
	bill struct {
		Format       string       `json:"bomFormat"`
		SpecVersion  string       `json:"specVersion"`
		SerialNumber string       `json:"serialNumber"`
		Version      int          `json:"version"`
		Metadata     metadata     `json:"metadata"`
		Components   []component  `json:"components"`
		Dependencies []dependency `json:"dependencies"`
	}
	metadata struct {
		Timestamp string    `json:"timestamp"`
		Component component `json:"component"`
	}
	component struct {
		Type       string     `json:"type"`
		Ref        string     `json:"bom-ref"`
		Name       string     `json:"name"`
		Version    string     `json:"version"`
		PURL       string     `json:"purl"`
		Hashes     []hash     `json:"hashes,omitempty"`
		Licenses   []licenses `json:"licenses,omitempty"`
		Properties []property `json:"properties,omitempty"`
	}
	hash struct {
		Algorithm string `json:"alg"`
		Content   string `json:"content"`
	}
	licenses struct {
		License license `json:"license"`
	}
	license struct {
		ID string `json:"id"`
	}
	property struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	dependency struct {
		Ref       string   `json:"ref"`
		DependsOn []string `json:"dependsOn"`
	}
)

// bill writes the software bill of materials of a binary: the modules that the linker recorded in it, with the checksums that
// go.sum holds, and Go itself.
func (r *release) bill(binary string, t target) ([]byte, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	sum, err := sumOf(binary)
	if err != nil {
		return nil, err
	}
	return r.compose(info, sum, t)
}

func (r *release) compose(info *debug.BuildInfo, sum string, t target) ([]byte, error) {
	main := component{
		Type: "application", Name: program, Version: r.version, PURL: purl(info.Main.Path, r.version, t),
		Hashes: []hash{{"SHA-256", sum}}, Licenses: []licenses{{license{"Apache-2.0"}}},
	}
	main.Ref = main.PURL
	goVersion := strings.TrimPrefix(info.GoVersion, "go")
	parts := []component{{Type: "library", Name: "std", Version: goVersion, PURL: "pkg:golang/std@" + goVersion, Ref: "pkg:golang/std@" + goVersion}}
	for _, module := range info.Deps {
		parts = append(parts, library(module))
	}
	slices.SortFunc(parts, func(a, b component) int { return cmp.Compare(a.Ref, b.Ref) })
	depends := dependency{Ref: main.Ref, DependsOn: []string{}}
	for _, part := range parts {
		depends.DependsOn = append(depends.DependsOn, part.Ref)
	}
	return json.MarshalIndent(bill{
		Format: "CycloneDX", SpecVersion: "1.5", SerialNumber: serial(main.Ref, sum), Version: 1,
		Metadata: metadata{r.time.Format(time.RFC3339), main}, Components: parts, Dependencies: []dependency{depends},
	}, "", "  ")
}

// library describes a module as linked: what replaces another is named in its place.
func library(module *debug.Module) component {
	if module.Replace != nil {
		module = module.Replace
	}
	ref := purl(module.Path, module.Version, target{})
	c := component{Type: "library", Name: module.Path, Version: module.Version, PURL: ref, Ref: ref}
	if module.Sum != "" {
		c.Properties = []property{{"go:sum", module.Sum}}
	}
	return c
}

// purl is the package URL of a module.
func purl(path, version string, t target) string {
	url := fmt.Sprintf("pkg:golang/%s@%s", path, strings.ReplaceAll(version, "+", "%2B"))
	if t.system != "" {
		url += "?goarch=" + t.arch + "&goos=" + t.system
	}
	return url
}

// serial is a UUID that follows from the content, so that equal builds have equal ones.
func serial(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80 // version 8: of our own making
	id := hex.EncodeToString(sum[:16])
	return fmt.Sprintf("urn:uuid:%s-%s-%s-%s-%s", id[:8], id[8:12], id[12:16], id[16:20], id[20:])
}
