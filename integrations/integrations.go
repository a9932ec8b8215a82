// Package integrations is the catalogue of ready integrations: a folder for each provider's API, with the bodies of the
// requests that create it.
//
//	<name>/integration.yaml   the body of POST /integration
//	<name>/sync-job.yaml      the body of POST /sync-job: a job that works unchanged
//	<name>/README.md          credentials, permissions, resources, limits
//	<name>/contract.yaml      the responses of the API, for the test
//	<name>/verified.yaml      when it was run against the provider's own server; most have none
//
// All of it is data. To add an API, add a folder: the tests find it.
package integrations

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/millrace/millrace"
)

//go:embed */integration.yaml */sync-job.yaml */verified.yaml */README.md
var files embed.FS

// Integration is one entry of the catalogue.
type Integration struct {
	Name      string
	Label     string
	Category  string
	Auth      []string // formats of its credentials, in the order of the file
	Resources []string // in the order of the file

	requests int // in the sync job

	Body    json.RawMessage // of POST /integration
	SyncJob json.RawMessage // of POST /sync-job

	BodyYAML, SyncJobYAML string // the same as they stand in the files, with their comments
	Readme                string

	Verified string // the date of the last run against a server of the provider, such as 2026-11-30; empty: there was none
}

// Names returns the names of all integrations, in order.
func Names() ([]string, error) {
	found, err := fs.Glob(files, "*/integration.yaml")
	if err != nil {
		return nil, err
	}
	for i, path := range found {
		found[i], _, _ = strings.Cut(path, "/")
	}
	return found, nil
}

// All returns the whole catalogue, by name.
func All() ([]*Integration, error) {
	names, err := Names()
	if err != nil {
		return nil, err
	}
	all := make([]*Integration, len(names))
	for i, name := range names {
		if all[i], err = read(name); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Get returns an integration. For a name that the catalogue does not have, the error is of KindNotFound and names what
// was probably meant.
func Get(name string) (*Integration, error) {
	names, err := Names()
	if err != nil {
		return nil, err
	}
	if slices.Contains(names, name) {
		return read(name)
	}
	unknown := millrace.Unknown("", "integration", name, names)
	if len(unknown.Failures) == 0 {
		unknown.Message += "; there are " + strings.Join(names, ", ")
	}
	return nil, unknown
}

func read(name string) (*Integration, error) {
	i := &Integration{Name: name}
	for file, text := range map[string]*string{
		"integration.yaml": &i.BodyYAML, "sync-job.yaml": &i.SyncJobYAML, "README.md": &i.Readme,
	} {
		raw, err := files.ReadFile(name + "/" + file)
		if err != nil {
			return nil, err
		}
		*text = string(raw)
	}
	var err error
	if i.Body, err = toJSON(name, i.BodyYAML); err != nil {
		return nil, err
	}
	if i.SyncJob, err = toJSON(name, i.SyncJobYAML); err != nil {
		return nil, err
	}
	if err := i.readVerified(); err != nil {
		return nil, err
	}
	return i, i.summarise()
}

func (i *Integration) readVerified() error {
	raw, err := files.ReadFile(i.Name + "/verified.yaml")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var v struct {
		On string `yaml:"on"`
	}
	if err := yaml.Unmarshal(raw, &v); err != nil {
		return fmt.Errorf("integration %s: %w", i.Name, err)
	}
	i.Verified = v.On
	return nil
}

// Tier says how much of an integration there is, and how it is known to work: proxy when calls can be made, sync when a sync job
// comes with it as well, verified when that was run against the provider's own server.
func (i *Integration) Tier() string {
	switch {
	case len(i.Resources) == 0:
		return "sign-in"
	case i.requests == 0:
		return "proxy"
	case i.Verified == "":
		return "sync"
	}
	return "verified on " + i.Verified
}

// toJSON returns YAML as JSON, its members in their order.
func toJSON(name, text string) (json.RawMessage, error) {
	body, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("integration %s: %w", name, err)
	}
	return body, nil
}

// summarise reads what lists show out of the body.
func (i *Integration) summarise() error {
	var body struct {
		Category string `json:"category"`
		Config   struct {
			Label       string          `json:"label"`
			Credentials json.RawMessage `json:"credentials"`
			Resources   json.RawMessage `json:"resources"`
		} `json:"config"`
	}
	if err := json.Unmarshal(i.Body, &body); err != nil {
		return fmt.Errorf("integration %s: %w", i.Name, err)
	}
	i.Category, i.Label = body.Category, body.Config.Label
	var job struct {
		Resources []struct {
			Type string `json:"type"`
		} `json:"resources"`
	}
	if err := json.Unmarshal(i.SyncJob, &job); err != nil {
		return fmt.Errorf("sync job of integration %s: %w", i.Name, err)
	}
	for _, node := range job.Resources {
		if node.Type == "request" {
			i.requests++
		}
	}
	var err error
	if i.Auth, err = keys(body.Config.Credentials); err != nil {
		return fmt.Errorf("credentials of integration %s: %w", i.Name, err)
	}
	if i.Resources, err = keys(body.Config.Resources); err != nil {
		return fmt.Errorf("resources of integration %s: %w", i.Name, err)
	}
	return nil
}

// keys returns the names of an object's members in their order.
func keys(object json.RawMessage) ([]string, error) {
	var pairs yaml.MapSlice
	if err := yaml.UnmarshalWithOptions(object, &pairs, yaml.UseOrderedMap()); err != nil {
		return nil, err
	}
	names := make([]string, len(pairs))
	for i, pair := range pairs {
		names[i] = fmt.Sprint(pair.Key)
	}
	return names, nil
}
