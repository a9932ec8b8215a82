package egress_test

import (
	"crypto/tls"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/egress"
)

const gateSecret = "secret-of-the-gate"

// newGate is a gate of the published protocol. Its token may change.
func newGate(t *testing.T, token *atomic.Value, requests *atomic.Int64) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		target := r.Header.Get("Truto-Target-URL")
		switch {
		case r.Header.Get("Truto-StaticGate-Token") != token.Load():
			http.Error(w, `{"error":"unauthorized"}`, http.StatusUnauthorized)
			return
		case target == "":
			http.Error(w, `{"error":"missing"}`, http.StatusBadRequest)
			return
		}
		out, err := http.NewRequestWithContext(r.Context(), r.Method, target, r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for name, values := range r.Header {
			if !strings.HasPrefix(name, "Truto-") {
				out.Header[name] = values
			}
		}
		resp, err := http.DefaultTransport.RoundTrip(out)
		if err != nil {
			http.Error(w, `{"error":"upstream request error"}`, http.StatusBadGateway)
			return
		}
		defer func() { _ = resp.Body.Close() }()
		maps.Copy(w.Header(), resp.Header)
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
	}))
	t.Cleanup(s.Close)
	return s
}

func through(t *testing.T, client *http.Client, g *egress.Gate, method, address, body string, header map[string]string) (*http.Response, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(egress.Through(t.Context(), g), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text), nil
}

func TestRequestsGoThroughAGate(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	var token atomic.Value
	token.Store(gateSecret)
	gate := newGate(t, &token, &requests)
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name := range r.Header {
			if strings.HasPrefix(name, "Truto-") {
				t.Errorf("the provider sees %s", name)
			}
		}
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Of-Provider", "yes")
		if r.URL.Path == "/rejects" {
			w.WriteHeader(http.StatusUnauthorized)
		}
		_, _ = io.WriteString(w, r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("X-Key")+" "+string(body))
	}))
	t.Cleanup(provider.Close)
	client := &http.Client{Transport: egress.Gated(egress.NewTransport(egress.TransportConfig{AllowLoopback: true})), Timeout: 10 * time.Second}
	g := &egress.Gate{Address: gate.URL, Token: gateSecret}

	resp, body, err := through(t, client, g, "PATCH", provider.URL+"/a%2Fb?x=1&y=2", "the body", map[string]string{"X-Key": "k", "Truto-Target-URL": "http://elsewhere.test", "truto-other": "x"})
	if err != nil || body != "PATCH /a%2Fb?x=1&y=2 k the body" || resp.Header.Get("X-Of-Provider") != "yes" || requests.Load() != 1 {
		t.Fatalf("got %q, %v, %d requests to the gate", body, err, requests.Load())
	}
	if resp, _, err := through(t, client, g, "GET", provider.URL+"/rejects", "", nil); err != nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a 401 of the provider is %v, %v", resp, err)
	}
	before := requests.Load()
	if _, body, err := through(t, client, nil, "GET", provider.URL+"/straight", "", nil); err != nil || body != "GET /straight  " || requests.Load() != before {
		t.Errorf("without a gate: got %q, %v", body, err)
	}
	token.Store("another")
	var own *egress.GateError
	if _, _, err := through(t, client, g, "GET", provider.URL+"/x", "", nil); !errors.As(err, &own) || egress.Message(err) != "the static gate rejects its token" {
		t.Errorf("a 401 of the gate is %v", err)
	}
}

func TestAHostileGate(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	mode := atomic.Value{}
	gate := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		switch mode.Load() {
		case "cut":
			panic(http.ErrAbortHandler)
		case "inward":
			http.Redirect(w, r, "http://169.254.169.254/latest", http.StatusFound)
		case "round":
			http.Redirect(w, r, "http://"+r.Host+"/again", http.StatusFound)
		case "silent about its part":
			if r.Header.Get("Truto-Target-URL") == "" {
				panic(http.ErrAbortHandler)
			}
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(gate.Close)
	transport := egress.NewTransport(egress.TransportConfig{AllowLoopback: true})
	client := &http.Client{Transport: egress.Gated(transport), Timeout: 10 * time.Second}
	g := &egress.Gate{Address: gate.URL, Token: gateSecret}
	for what, blocked := range map[string]bool{"cut": false, "inward": true, "round": false, "silent about its part": false} {
		mode.Store(what)
		_, _, err := through(t, client, g, "GET", gate.URL+"/x", "", nil)
		var inward *egress.BlockedError
		if err == nil || errors.As(err, &inward) != blocked || strings.Contains(err.Error(), gateSecret) || strings.Contains(egress.Message(err), gateSecret) {
			t.Errorf("a gate that is %s: got %v", what, err)
		}
	}

	before := requests.Load()
	for _, target := range []string{"http://169.254.169.254/latest", "http://10.0.0.1/", "http://[fd00::1]/", "http://0x7f000001/"} {
		var inward *egress.BlockedError
		if _, _, err := through(t, client, g, "GET", target, "", nil); !errors.As(err, &inward) {
			t.Errorf("%s: got %v", target, err)
		}
	}
	public := egress.Gated(egress.NewTransport(egress.TransportConfig{}))
	var inward *egress.BlockedError
	if _, _, err := through(t, &http.Client{Transport: public}, g, "GET", "http://1.1.1.1/", "", nil); !errors.As(err, &inward) {
		t.Errorf("a gate at an address that is not public: got %v", err)
	}
	certified := transport.Clone()
	certified.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{}}}
	var own *egress.GateError
	for _, unfit := range []http.RoundTripper{certified, &http.Transport{}, gateless{}} {
		if _, _, err := through(t, &http.Client{Transport: egress.Gated(unfit)}, g, "GET", "http://1.1.1.1/", "", nil); !errors.As(err, &own) {
			t.Errorf("%T: got %v", unfit, err)
		}
	}
	if requests.Load() != before {
		t.Errorf("the gate got %d requests that should not be made", requests.Load()-before)
	}
	if _, _, err := through(t, client, &egress.Gate{Address: "http://127.0.0.1:1", Token: gateSecret}, "GET", gate.URL, "", nil); err == nil || strings.Contains(err.Error(), gateSecret) {
		t.Errorf("a gate that is not there: got %v", err)
	}
}

type gateless struct{}

// RoundTrip implements http.RoundTripper.
func (gateless) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("it was called")
}

func TestGateURL(t *testing.T) {
	t.Parallel()
	for domain, want := range map[string]string{
		"gate.example.com": "https://gate.example.com/", "gate.example.com:8443": "https://gate.example.com:8443/", "http://1.2.3.4": "http://1.2.3.4/",
		"https://gate.example.com/": "https://gate.example.com/", "": "", "ftp://x": "", "a/b": "", "u:p@x": "", "x?y=1": "", "x#y": "", "http://": "", "a b": "",
	} {
		u, err := egress.GateURL(domain)
		if err != nil && want != "" || err == nil && u.String() != want {
			t.Errorf("%q: got %v, %v, want %q", domain, u, err, want)
		}
	}
}
