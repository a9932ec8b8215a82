package egress

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"testing"
)

func TestClass(t *testing.T) {
	t.Parallel()
	call := func(err error) error { return os.NewSyscallError("connect", err) }
	for _, c := range []struct {
		want string
		err  error
	}{
		{ClassBlocked, &net.OpError{Op: "dial", Err: &BlockedError{Host: "x.test", Reason: "it is private"}}},
		{ClassDNS, fmt.Errorf("resolve x.test: %w", &net.DNSError{Err: "no such host", Name: "x.test", IsNotFound: true})},
		{ClassDNS, &net.DNSError{Err: "i/o timeout", Name: "x.test", IsTimeout: true}},
		{ClassTLS, &url.Error{Op: "Get", Err: x509.UnknownAuthorityError{}}},
		{ClassTLS, &net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}},
		{ClassTLS, &url.Error{Op: "Get", Err: http.ErrSchemeMismatch}},
		{ClassRefused, &net.OpError{Op: "dial", Err: call(syscall.ECONNREFUSED)}},
		{ClassUnreachable, &net.OpError{Op: "dial", Err: call(syscall.EHOSTUNREACH)}},
		{ClassUnreachable, &net.OpError{Op: "dial", Err: call(syscall.ENETUNREACH)}},
		{ClassTimeout, context.DeadlineExceeded},
		{ClassTimeout, &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}},
		{ClassReset, &net.OpError{Op: "read", Err: call(syscall.ECONNRESET)}},
		{ClassReset, fmt.Errorf("read: %w", io.ErrUnexpectedEOF)},
		{ClassProtocol, errors.New("malformed HTTP response")},
	} {
		if got := Class(c.err); got != c.want {
			t.Errorf("got %s for %v, want %s", got, c.err, c.want)
		}
	}
}
