package server

import (
	"net/netip"
	"testing"

	"github.com/millrace/millrace/internal/egress"
)

// TestWhereAnIdentityProviderMayBe is about the addresses that an operator names, which tenants may not.
func TestWhereAnIdentityProviderMayBe(t *testing.T) {
	t.Parallel()
	tenants := egress.TransportConfig{Allow: make([]netip.Prefix, 0, 8)}
	operator := withPrivate(tenants)
	for _, host := range []string{"10.1.2.3", "172.20.0.1", "192.168.1.1"} {
		if reason := operator.BlockReason(host); reason != "" {
			t.Errorf("an identity provider at %s is blocked: %s", host, reason)
		}
		if tenants.BlockReason(host) == "" {
			t.Errorf("tenants may call %s", host)
		}
	}
	for _, host := range []string{"127.0.0.1", "localhost", "169.254.169.254", "fe80::1", "168.63.129.16", "0.0.0.0", "fd00::1", "fd00:ec2::254"} {
		if operator.BlockReason(host) == "" {
			t.Errorf("an identity provider may be at %s", host)
		}
	}
}
