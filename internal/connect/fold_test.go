package connect

import (
	"slices"
	"strings"
	"testing"
)

func TestMarksAndCaseDoNotChangeTheOrder(t *testing.T) {
	t.Parallel()
	got := []string{"Zoho", "Élan", "eagle", "Ｆｕｌｌ", "Øre", "ﬁnance", "ÅNGSTRÖM"}
	slices.SortStableFunc(got, func(a, b string) int { return strings.Compare(Fold(a), Fold(b)) })
	want := []string{"ÅNGSTRÖM", "eagle", "Élan", "ﬁnance", "Ｆｕｌｌ", "Zoho", "Øre"} // Ø is a letter of its own
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
