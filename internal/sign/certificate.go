package sign

import (
	"crypto/tls"
	"net/http"
)

// Certificate returns a client certificate of texts in PEM: the certificate, with those that vouch for it, and its private key. The
// error is [ErrCertificatePair].
func Certificate(certificate, key string) (tls.Certificate, error) {
	c, err := tls.X509KeyPair(pemOf(certificate), pemOf(key))
	if err != nil {
		return tls.Certificate{}, ErrCertificatePair
	}
	return c, nil
}

// WithCertificate returns a transport that shows a client certificate and dials as the given one does. It keeps no connections:
// requests of others must not use one.
func WithCertificate(t *http.Transport, c tls.Certificate) *http.Transport {
	t = t.Clone()
	if t.TLSClientConfig == nil {
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	t.TLSClientConfig.Certificates = []tls.Certificate{c}
	t.DisableKeepAlives = true
	return t
}
