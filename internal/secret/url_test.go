package secret_test

import (
	"testing"

	"github.com/millrace/millrace/internal/secret"
)

func TestMaskedAddressesHaveNoPath(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://hooks.example.com/services/T1/B2/key?x=1": "https://hooks.example.com/...",
		"https://user:key@hooks.example.com/":              "https://hooks.example.com/...",
		"https://hooks.example.com/%zz/key":                "",
		"":                                                 "",
	} {
		if got := secret.MaskURL(in); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
}
