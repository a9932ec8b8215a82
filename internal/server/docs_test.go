package server

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/millrace/millrace/internal/definition"
)

// TestIntegrationExamples checks that the configs in the documentation are accepted.
func TestIntegrationExamples(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"integrations.md", "inbound-hooks.md"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkExamples(t, name)
		})
	}
}

func checkExamples(t *testing.T, name string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(page), "```yaml\n")
	if len(parts) < 2 {
		t.Fatal("the page has no example")
	}
	for _, part := range parts[1:] {
		source, _, _ := strings.Cut(part, "```")
		var config any
		if err := yaml.Unmarshal([]byte(source), &config); err != nil {
			t.Fatalf("%v in\n%s", err, source)
		}
		raw, err := json.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		if found := definition.CheckIntegrationConfig(raw); len(found) > 0 {
			t.Errorf("%v in\n%s", found, source)
		}
	}
}
