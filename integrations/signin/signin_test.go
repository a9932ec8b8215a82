package signin_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/integrations/signin"
	"github.com/millrace/millrace/internal/fetch/config"
)

func all(t *testing.T) []*signin.Provider {
	t.Helper()
	all, err := signin.All()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEveryKnownSignInIsSound(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	last := ""
	for _, p := range all(t) {
		if !name.MatchString(p.Name) || p.Name <= last {
			t.Errorf("%q: a name has small letters, digits and -, and comes once", p.Name)
		}
		last = p.Name
		if p.Label == "" || len(p.Sources) == 0 && len(p.Read) == 0 {
			t.Errorf("%s: label %q, and neither a source nor a page that was read", p.Name, p.Label)
		}
		for _, page := range p.Read {
			if _, err := time.Parse(time.DateOnly, page.Date); err != nil || !strings.HasPrefix(page.Page, "https://") {
				t.Errorf("%s: %q, read on %q, is no page with a date", p.Name, page.Page, page.Date)
			}
		}
		checkConfig(t, p)
	}
}

// checkConfig parses the integration that is made of a sign-in, and looks at its addresses.
func checkConfig(t *testing.T, p *signin.Provider) {
	t.Helper()
	raw, err := p.Integration("https://api.example.com")
	if err != nil {
		t.Fatalf("%s: %v", p.Name, err)
	}
	var body struct {
		Config json.RawMessage `json:"config"`
	}
	if err := json.Unmarshal(raw, &body); err != nil {
		t.Fatal(err)
	}
	parsed, err := config.Parse(body.Config)
	if err != nil {
		t.Errorf("%s: %v", p.Name, err)
		return
	}
	for _, warning := range config.Warn(body.Config) {
		if strings.Contains(warning.Path, ".config") {
			t.Errorf("%s: %s %s", p.Name, warning.Path, warning.Message)
		}
	}
	var c struct {
		Auth   map[string]string `json:"auth"`
		Client map[string]string `json:"client"`
		Keep   struct {
			Redirect, Token []any
		} `json:"keep"`
	}
	if err := json.Unmarshal(p.OAuth2, &c); err != nil {
		t.Fatalf("%s: %v", p.Name, err)
	}
	if c.Client["id"] != "" || c.Client["secret"] != "" {
		t.Errorf("%s: has a client", p.Name)
	}
	for member, address := range c.Auth {
		host, isHost := strings.CutSuffix(member, "Host")
		switch {
		case isHost && strings.HasPrefix(address, "{{"): // see checkPlaceholders
		case isHost && (!strings.HasPrefix(address, "https://") || strings.Count(address, "/") != 2):
			t.Errorf("%s: %sHost %q is not https:// and a host", p.Name, host, address)
		case !isHost && !strings.HasPrefix(address, "/"):
			t.Errorf("%s: %s %q does not begin with a slash", p.Name, member, address)
		}
	}
	checkPlaceholders(t, p, parsed)
}

// checkPlaceholders ensures that what the addresses need is asked for before the redirect, and that it cannot change the host.
func checkPlaceholders(t *testing.T, p *signin.Provider, c *config.Config) {
	t.Helper()
	var asked struct {
		Auth   json.RawMessage `json:"auth"`
		Fields []struct{ Name, Pattern string }
	}
	if err := json.Unmarshal(p.OAuth2, &asked); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, match := range regexp.MustCompile(`\{\{([^}]+)\}\}`).FindAllStringSubmatch(string(asked.Auth), -1) {
		names = append(names, match[1])
	}
	inputs, kept := c.Credentials[config.FormatOAuth2].Fields, c.Credentials[config.FormatOAuth2].OAuth.KeepRedirect
	for _, name := range names {
		if at := slices.IndexFunc(kept, func(k config.Kept) bool { return k.As == name }); at >= 0 {
			for _, hostile := range []string{"https://evil.example", "https://accounts.zoho.com.evil.example", "https://evil.example/https://accounts.zoho.com", ""} {
				if kept[at].Pattern == nil || kept[at].Pattern.MatchString(hostile) {
					t.Errorf("%s: the redirect may set %s to %q", p.Name, name, hostile)
				}
			}
			continue
		}
		at := slices.IndexFunc(inputs, func(in config.Input) bool { return in.Name == name })
		if at < 0 {
			t.Errorf("%s: {{%s}} is not among the fields", p.Name, name)
			continue
		}
		for _, hostile := range []string{"evil.example/", "evil.example#", "evil.example?", "a@evil.example", "a b", "..\\", "%2f", "https://evil.example"} {
			if inputs[at].Check(hostile) == "" {
				t.Errorf("%s: the field %s takes %q", p.Name, name, hostile)
			}
		}
	}
}

func TestKnownSignInsAreMany(t *testing.T) {
	t.Parallel()
	known := all(t)
	if len(known) < 225 {
		t.Errorf("got %d sign-ins", len(known))
	}
	counts := map[string]int{}
	for _, p := range known {
		for _, source := range p.Sources {
			counts[source]++
		}
	}
	for _, source := range []string{"golang", "arctic", "authjs", "goth", "grant"} {
		if counts[source] < 40 {
			t.Errorf("%d sign-ins are of %s", counts[source], source)
		}
	}
}

// Each file of quirks is read, says where it was read, and changes something.
func TestEveryQuirkHasAPage(t *testing.T) {
	t.Parallel()
	found, err := filepath.Glob("quirks/*.yaml")
	if err != nil || len(found) == 0 {
		t.Fatalf("got %d files, %v", len(found), err)
	}
	for _, file := range found {
		p, err := signin.Get(strings.TrimSuffix(filepath.Base(file), ".yaml"))
		if err != nil {
			t.Error(err)
			continue
		}
		if len(p.Read) == 0 {
			t.Errorf("%s does not say where it was read", file)
		}
	}
}

func TestUnknownSignIns(t *testing.T) {
	t.Parallel()
	if _, err := signin.Get("zooom"); millrace.KindOf(err) != millrace.KindNotFound || !strings.Contains(err.Error(), `did you mean "zoom"`) {
		t.Errorf("got %v", err)
	}
	p, err := signin.Get("23andme")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Integration(""); millrace.KindOf(err) != millrace.KindInvalid {
		t.Errorf("got %v for a provider whose API has no known address", err)
	}
	p.Label = "changed"
	if again, _ := signin.Get("23andme"); again.Label == "changed" {
		t.Error("callers share what they get")
	}
}

// The notices of those from whom the data was taken are in NOTICE.
func TestSourcesAreInTheNotice(t *testing.T) {
	t.Parallel()
	notice, err := os.ReadFile("../../NOTICE")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("derive/derive.sh")
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range []string{"grant", "@auth/core", "arctic", "github.com/markbates/goth", "golang.org/x/oauth2"} {
		version := regexp.MustCompile(regexp.QuoteMeta(source) + `@v?([0-9.]+)`).FindSubmatch(script)
		if version == nil || !regexp.MustCompile(regexp.QuoteMeta(source)+" "+regexp.QuoteMeta(string(version[1]))).Match(notice) {
			t.Errorf("NOTICE does not name %s in the version %s", source, version)
		}
	}
}
