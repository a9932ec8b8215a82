package deliver

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
)

type nodeRequest struct {
	Name     string            `json:"name"`
	Secret   string            `json:"secret"`
	Encoding string            `json:"encoding"`
	Body     string            `json:"body"`
	Headers  map[string]string `json:"headers"`
}

// What receivers in JavaScript use: the two packages, and node's own crypto for the compatible header.
func TestNodeLibrariesVerify(t *testing.T) {
	t.Parallel()
	dir := installNode(t, "standardwebhooks@1.1.1", "svix@1.99.1")
	requests := []nodeRequest{
		requestForNode("bare", millrace.Webhook{Secret: uuidSecret}),
		requestForNode("whsec", millrace.Webhook{Secret: whsecSecret}),
		requestForNode("hex", millrace.Webhook{Secret: uuidSecret, SignatureEncoding: EncodingHex}),
		requestForNode("changing", millrace.Webhook{
			Secret: uuidSecret, PreviousSecret: whsecSecret, PreviousExpiresAt: millrace.TimeOf(time.Now().Add(time.Hour)),
		}),
	}
	input, err := json.Marshal(requests)
	if err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs("testdata/verify.mjs")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", script)
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("node: %v\n%s", err, out)
	}
	var want []string
	for _, r := range requests {
		for _, v := range []string{"compatible", "standardwebhooks", "svix"} {
			want = append(want, v+" "+r.Name+" verified")
		}
	}
	if diff := cmp.Diff(want, strings.Split(strings.TrimSpace(string(out)), "\n")); diff != "" {
		t.Errorf("verifiers (-want +got):\n%s", diff)
	}
}

func requestForNode(name string, w millrace.Webhook) nodeRequest {
	r := nodeRequest{Name: name, Secret: w.Secret, Encoding: "base64", Body: signedBody, Headers: map[string]string{}}
	if w.SignatureEncoding != "" {
		r.Encoding = w.SignatureEncoding
	}
	h := signedHeader(w, time.Now())
	for k := range h {
		r.Headers[strings.ToLower(k)] = h.Get(k)
	}
	return r
}

// installNode returns a directory with the packages. Where they cannot be had, the test says so and is skipped, except
// in CI, where it fails.
func installNode(t *testing.T, packages ...string) string {
	t.Helper()
	skip := t.Skipf
	if os.Getenv("CI") == "true" {
		skip = t.Fatalf
	}
	if testing.Short() {
		t.Skip("SKIPPED: verification by node packages (-short)")
	}
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			skip("SKIPPED: verification by node packages: %v", err)
		}
	}
	dir := t.TempDir()
	args := append([]string{"install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"}, packages...)
	cmd := exec.CommandContext(t.Context(), "npm", args...)
	cmd.Dir = dir
	if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		skip("SKIPPED: verification by node packages: npm install: %v\n%s", err, out)
	}
	return dir
}
