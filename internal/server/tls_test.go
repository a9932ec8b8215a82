package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/deliver"
	"github.com/millrace/millrace/internal/egress"
)

// authority issues certificates for tests.
type authority struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err == nil {
		a.cert, err = x509.ParseCertificate(der)
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// serve starts a server whose certificate is changed by edit.
func (a *authority) serve(version uint16, edit func(*x509.Certificate)) string {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	edit(template)
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MaxVersion: version}
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	a.t.Cleanup(s.Close)
	return s.URL
}

// Both outbound paths name what is wrong with TLS, and go no further.
func TestTLSErrors(t *testing.T) {
	t.Parallel()
	known, unknown := newAuthority(t), newAuthority(t)
	transport := egress.NewTransport(egress.TransportConfig{AllowLoopback: true})
	transport.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	transport.TLSClientConfig.RootCAs.AddCert(known.cert)
	client := &http.Client{Transport: transport}
	sender, err := deliver.New(deliver.Config{Client: client, Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ url, class string }{
		"all is well":        {known.serve(0, func(*x509.Certificate) {}), ""},
		"expired":            {known.serve(0, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), "tls"},
		"not valid yet":      {known.serve(0, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }), "tls"},
		"another host":       {known.serve(0, func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"other.example"} }), "tls"},
		"another authority":  {unknown.serve(0, func(*x509.Certificate) {}), "tls"},
		"an old TLS version": {known.serve(tls.VersionTLS11, func(*x509.Certificate) {}), "tls"},
	} {
		o := sender.Send(t.Context(), deliver.Message{
			ID: millrace.NewID[millrace.DeliveryID](), Webhook: &millrace.Webhook{TargetURL: c.url, Secret: "s"}, Body: []byte("{}"), Event: "test", Attempt: 1,
		})
		if o.ErrorClass != c.class || (o.Kind == deliver.Delivered) != (c.class == "") {
			t.Errorf("%s: delivery: got %s %q, want class %q", name, o.Kind, o.ErrorClass, c.class)
		}
		if got := fetchFrom(t.Context(), t, client, c.url, 20*time.Second); got != c.class {
			t.Errorf("%s: fetch: got class %q, want %q", name, got, c.class)
		}
	}
}
