// Package signin is the list of known sign-ins: where and how providers give OAuth 2.0 tokens, as data, for integrations that have no
// description of their own. None of it was tried with the provider.
//
//	derived.json        taken from other projects by derive/derive.sh, which says who says what where they differ
//	quirks/<name>.yaml  what was read in the provider's documentation, merged over it, with the page and the date
//
// All of it is data. To add a provider, or to correct one, add a file to quirks: the tests find it.
package signin

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"

	"github.com/millrace/millrace"
)

//go:embed derived.json quirks/*.yaml
var files embed.FS

// Provider is one known sign-in.
type Provider struct {
	Name    string          `json:"name"`
	Label   string          `json:"label"`
	BaseURL string          `json:"base_url"`      // of its API; empty: not known
	OAuth2  json.RawMessage `json:"oauth2"`        // credentials.oauth2.config of an integration
	Header  json.RawMessage `json:"authorization"` // authorization of an integration; empty: the access token as a bearer token
	Sources []string        `json:"sources"`       // whose data it was taken from; none: only its documentation was read
	Read    []Page          `json:"read"`          // what was read in the provider's documentation; none: nothing
}

// Page is a page of a provider's documentation.
type Page struct {
	Page string `json:"page"` // its address
	Date string `json:"date"` // when it was read, such as 2026-11-30
}

// All returns every known sign-in, by name.
func All() ([]*Provider, error) {
	all, err := load()
	if err != nil {
		return nil, fmt.Errorf("known sign-ins: %w", err)
	}
	out := make([]*Provider, len(all))
	for i, p := range all {
		one := *p
		out[i] = &one
	}
	return out, nil
}

// Get returns a known sign-in. For a name that is not in the list, the error is of KindNotFound and names what was probably meant.
func Get(name string) (*Provider, error) {
	all, err := All()
	if err != nil {
		return nil, err
	}
	names := make([]string, len(all))
	for i, p := range all {
		if p.Name == name {
			return p, nil
		}
		names[i] = p.Name
	}
	return nil, millrace.Unknown("", "known sign-in", name, names)
}

// Integration returns the body of POST /integration for accounts that sign in and call /custom. The address of the API is the known one
// unless another is given; there is an error of KindInvalid when neither is.
func (p *Provider) Integration(baseURL string) (json.RawMessage, error) {
	if baseURL == "" {
		baseURL = p.BaseURL
	}
	if baseURL == "" {
		return nil, millrace.Invalid("base_url", "the address of %s's API is not known; give it", p.Label)
	}
	config := map[string]any{
		"label": p.Label, "base_url": baseURL,
		"credentials": map[string]any{"oauth2": map[string]any{"format": "oauth2", "config": p.OAuth2}},
		"resources":   map[string]any{},
	}
	if len(p.Header) > 0 {
		config["authorization"] = p.Header
	}
	return json.Marshal(map[string]any{"name": p.Name, "config": config})
}

// load reads the files once.
var load = sync.OnceValues(func() ([]*Provider, error) { //nolint:gochecknoglobals // a constant that cannot be written as one
	raw, err := files.ReadFile("derived.json")
	if err != nil {
		return nil, err
	}
	var derived []map[string]any
	if err := json.Unmarshal(raw, &derived); err != nil {
		return nil, err
	}
	merged := map[string]map[string]any{}
	for _, one := range derived {
		name, _ := one["name"].(string)
		merged[name] = one
	}
	quirks, err := fs.Glob(files, "quirks/*.yaml")
	if err != nil {
		return nil, err
	}
	for _, file := range quirks {
		name := strings.TrimSuffix(path.Base(file), ".yaml")
		quirk, err := readQuirk(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if merged[name] == nil {
			merged[name] = map[string]any{"name": name}
		}
		merge(merged[name], quirk)
	}
	return sorted(merged)
})

func readQuirk(file string) (map[string]any, error) {
	raw, err := files.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if raw, err = yaml.YAMLToJSON(raw); err != nil {
		return nil, err
	}
	var quirk map[string]any
	return quirk, json.Unmarshal(raw, &quirk)
}

// merge overlays objects member by member; null removes one.
func merge(into, over map[string]any) {
	for key, v := range over {
		below, isObject := into[key].(map[string]any)
		member, overlays := v.(map[string]any)
		switch {
		case v == nil:
			delete(into, key)
		case isObject && overlays:
			merge(below, member)
		default:
			into[key] = v
		}
	}
}

func sorted(merged map[string]map[string]any) ([]*Provider, error) {
	var out []*Provider
	for name, one := range merged {
		raw, err := json.Marshal(one)
		if err != nil {
			return nil, err
		}
		p := &Provider{}
		if err := json.Unmarshal(raw, p); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b *Provider) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}
