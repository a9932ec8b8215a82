package plan

import (
	"encoding/json"
	"os"
	"regexp"
	"testing"

	"github.com/goccy/go-yaml"
)

// TestDocumentedJobs checks that every job of the documentation can be saved as printed.
func TestDocumentedJobs(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/sync-jobs.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 4 {
		t.Fatalf("the page has %d jobs", len(blocks))
	}
	for _, block := range blocks {
		raw, err := yaml.YAMLToJSON([]byte(block[1]))
		if err != nil {
			t.Fatalf("%v in\n%s", err, block[1])
		}
		var job struct {
			DefaultRuntimeVersion int64           `json:"default_runtime_version"`
			ArgsSchema            json.RawMessage `json:"args_schema"`
			Resources             json.RawMessage `json:"resources"`
		}
		if err := json.Unmarshal(raw, &job); err != nil || len(job.Resources) == 0 {
			t.Fatalf("no job: %v in\n%s", err, block[1])
		}
		if found := Check(job.Resources, job.DefaultRuntimeVersion, job.ArgsSchema); len(found) > 0 {
			t.Errorf("%v in\n%s", found, block[1])
		}
	}
}
