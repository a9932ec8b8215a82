package deliver

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
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
	case isTLS(err):
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

func isTLS(err error) bool {
	var (
		verification *tls.CertificateVerificationError
		record       tls.RecordHeaderError
		alert        tls.AlertError
		authority    x509.UnknownAuthorityError
		hostname     x509.HostnameError
		invalid      x509.CertificateInvalidError
		op           *net.OpError
	)
	if errors.As(err, &verification) || errors.As(err, &record) || errors.As(err, &alert) ||
		errors.As(err, &authority) || errors.As(err, &hostname) || errors.As(err, &invalid) {
		return true
	}
	if errors.Is(err, http.ErrSchemeMismatch) { // an HTTP port that is called with https
		return true
	}
	// crypto/tls reports the alerts of either side as operations of these names.
	return errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error")
}
