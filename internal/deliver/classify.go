package deliver

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"

	"github.com/millrace/millrace/internal/egress"
)

// classify names what went wrong before there was an answer.
func classify(err error) string {
	var dns *net.DNSError
	var timeout interface{ Timeout() bool }
	var blocked interface{ Blocked() bool } // what the guarded dialer returns
	switch {
	case errors.As(err, &blocked) && blocked.Blocked():
		return ClassBlocked
	case errors.As(err, &dns):
		return ClassDNS
	case egress.IsTLS(err), errors.Is(err, http.ErrSchemeMismatch): // the latter: an HTTP port that is called with https
		return ClassTLS
	case errors.Is(err, syscall.ECONNREFUSED):
		return ClassRefused
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return ClassUnreachable
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return ClassTimeout
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return ClassReset
	}
	return ClassProtocol
}
