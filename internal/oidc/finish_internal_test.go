package oidc

import "testing"

// TestWhoseAddressesCount is about what providers say of addresses, and what is believed.
func TestWhoseAddressesCount(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		issuer string
		trust  bool
		said   claims
		want   bool
	}{
		{"https://idp.example.com", false, claims{Email: "ann@example.com", Verified: true}, true},
		{"https://idp.example.com", false, claims{Email: "ann@example.com", Verified: "true"}, true},
		{"https://idp.example.com", false, claims{Email: "ann@example.com", Verified: "TRUE"}, false},
		{"https://idp.example.com", false, claims{Email: "ann@example.com", Verified: 1.0}, false},
		{"https://idp.example.com", false, claims{Email: "ann@example.com"}, false},
		{"https://idp.example.com", true, claims{Email: "ann@example.com"}, true},
		{"https://idp.example.com", true, claims{}, false},
		{google, false, claims{Email: "ann@gmail.com", Verified: true}, true},
		{google, false, claims{Email: "ann@gmail.com"}, false},
		{google, false, claims{Email: "ann@example.com", Verified: true}, false},
		{google, false, claims{Email: "ann@example.com", Verified: true, Hosted: "Example.com"}, true},
		{google, false, claims{Email: "ann@example.com", Verified: true, Hosted: "evil.example"}, false},
		{google, false, claims{Email: "ann@gmail.com@evil.example", Verified: true}, false},
		{google, false, claims{Email: "ann", Verified: true, Hosted: ""}, false},
	} {
		c := &Client{Config: Config{Settings: Settings{Issuer: test.issuer, TrustEmail: test.trust}}}
		if got := c.vouches(&test.said); got != test.want {
			t.Errorf("%s, trusted: %v, says %+v: got %v, want %v", test.issuer, test.trust, test.said, got, test.want)
		}
	}
}
