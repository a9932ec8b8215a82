package integrations_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/integrations"
	"github.com/millrace/millrace/integrations/signin"
)

// A tier promises what there is: a sync job that requests something, and a test against a real server where it says verified.
func TestTiersAreTrue(t *testing.T) {
	t.Parallel()
	verified := 0
	each(t, func(t *testing.T, i *integrations.Integration) {
		tier := i.Tier()
		if date, ok := strings.CutPrefix(tier, "verified on "); ok {
			if _, err := time.Parse(time.DateOnly, date); err != nil {
				t.Errorf("the tier %q has no date", tier)
			}
			if _, err := os.Stat("../internal/realserver/" + i.Name + "_test.go"); err != nil {
				t.Errorf("verified, and there is no test against its server: %v", err)
			}
		} else if tier != "sync" && tier != "proxy" {
			t.Errorf("unknown tier %q", tier)
		}
		if c := readContract(t, i.Name); tier != "proxy" && c.Sync == nil {
			t.Errorf("the tier is %s, and the contract has no sync", tier)
		}
	})
	all, err := integrations.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		if i.Verified != "" {
			verified++
		}
	}
	if verified == 0 {
		t.Error("no integration is verified")
	}
}

// One provider is described once.
func TestReadyIntegrationsAreNoKnownSignIns(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, i *integrations.Integration) {
		if known, err := signin.Get(i.Name); err == nil {
			t.Errorf("%s is a ready integration and a known sign-in", known.Name)
		}
	})
}
