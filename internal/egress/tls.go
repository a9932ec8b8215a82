package egress

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
)

// isTLS reports whether a connection failed because of TLS: a certificate, a version, or something that does not speak it.
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
	// crypto/tls reports the alerts of either side as operations of these names.
	return errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error")
}
