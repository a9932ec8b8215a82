package egress

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
)

// The classes of errors of requests that got no response. They are stored and shown, so they are part of the API.
const (
	ClassTimeout     = "timeout"     // no response in time
	ClassRefused     = "refused"     // nothing listens there
	ClassUnreachable = "unreachable" // no route
	ClassDNS         = "dns"         // the host name has no address
	ClassTLS         = "tls"         // no trustworthy connection
	ClassBlocked     = "blocked"     // an address that Millrace must not call
	ClassReset       = "reset"       // the connection broke off
	ClassProtocol    = "protocol"    // not HTTP, or a header over its limit
)

// Class names the reason why a request got no response.
func Class(err error) string {
	var (
		blocked *BlockedError
		dns     *net.DNSError
		timeout net.Error
	)
	switch {
	case errors.As(err, &blocked):
		return ClassBlocked
	case errors.As(err, &dns):
		return ClassDNS
	case isTLS(err), errors.Is(err, http.ErrSchemeMismatch): // the latter: an HTTP port that is called with https
		return ClassTLS
	case errors.Is(err, syscall.ECONNREFUSED):
		return ClassRefused
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return ClassUnreachable
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return ClassTimeout
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return ClassReset
	}
	return ClassProtocol
}
