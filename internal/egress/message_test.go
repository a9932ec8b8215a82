package egress

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestMessageNamesNoAddress(t *testing.T) {
	t.Parallel()
	local, remote := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 5), Port: 4711}, &net.TCPAddr{IP: net.IPv4(10, 9, 8, 7), Port: 443}
	dial := &net.OpError{Op: "dial", Net: "tcp", Addr: remote, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	for want, err := range map[string]error{
		"connect: connection refused":                  &url.Error{Op: "Get", URL: "https://x.test/?key=s", Err: dial},
		"read: connection reset by peer":               fmt.Errorf("read the response: %w", &net.OpError{Op: "read", Net: "tcp", Source: local, Addr: remote, Err: os.NewSyscallError("read", syscall.ECONNRESET)}),
		"look up x.test: no such host":                 fmt.Errorf("resolve x.test: %w", &net.DNSError{Err: "no such host", Name: "x.test", Server: "10.0.0.2:53", IsNotFound: true}),
		"look up x.test: no response in time":          &net.OpError{Op: "dial", Err: &net.DNSError{Err: "i/o timeout", Name: "x.test", Server: "10.0.0.2:53", IsTimeout: true}},
		"calling x.test is not allowed: it is private": &net.OpError{Op: "dial", Addr: remote, Err: &BlockedError{Host: "x.test", Reason: "it is private"}},
		"it broke": &url.Error{Op: "Get", URL: "https://x.test/?key=s", Err: errors.New("it broke")},
		"look up y.test: the name cannot be resolved now": &net.DNSError{Err: "server misbehaving", Name: "y.test", Server: "10.0.0.2:53"},
	} {
		got := Message(err)
		if got != want || strings.Contains(got, "10.") {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
