package egress

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// fakeDNS returns for each lookup of a name the next of its answers; the last one stays.
type fakeDNS struct {
	mu      sync.Mutex
	answers map[string][]string
	lookups int
}

func (f *fakeDNS) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lookups++
	answers := f.answers[host]
	if len(answers) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	if len(answers) > 1 {
		f.answers[host] = answers[1:]
	}
	var addrs []netip.Addr
	for s := range strings.FieldsSeq(answers[0]) {
		addrs = append(addrs, netip.MustParseAddr(s))
	}
	return addrs, nil
}

func get(t *testing.T, rt http.RoundTripper, rawURL string) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, rawURL, http.NoBody)
	if err != nil {
		t.Fatalf("request for %s: %v", rawURL, err)
	}
	resp, err := (&http.Client{Transport: rt}).Do(req)
	if err == nil {
		t.Cleanup(func() { _ = resp.Body.Close() })
	}
	return resp, err
}

func TestTransportBlocksHosts(t *testing.T) {
	t.Parallel()
	for _, host := range []string{
		"127.0.0.1", "127.255.255.254", "localhost.test", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
		"169.254.169.254", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "192.0.2.1", "198.51.100.7",
		"203.0.113.9", "198.18.0.1", "192.88.99.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
		"2130706433", "0x7f000001", "0X7F.1", "0177.0.0.1", "017700000001", "127.1", "127.0.0.1.", "1.2.3.08", "0x",
		"[::1]", "[::]", "[fe80::1]", "[fe80::1%25eth0]", "[fc00::1]", "[fd00:ec2::254]", "[fec0::1]", "[ff02::1]",
		"[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]",
		"[64:ff9b::127.0.0.1]", "[64:ff9b::8.8.8.8]", "[64:ff9b:1::1]", "[2002:7f00:1::1]", "[2001:0:4136:e378::1]",
		"[2001:db8::1]", "[3fff::1]", "[100::1]", "[5f00::1]", "[4000::1]",
		"private.test", "metadata.test", "mapped.test", "ula.test", "mixed-private.test",
	} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			rt := NewTransport(TransportConfig{Resolver: &fakeDNS{answers: map[string][]string{
				"localhost.test":     {"127.0.0.1 ::1"},
				"private.test":       {"10.0.0.5"},
				"metadata.test":      {"169.254.169.254"},
				"mapped.test":        {"::ffff:192.168.0.1"},
				"ula.test":           {"fd12:3456::1"},
				"mixed-private.test": {"10.0.0.5 fe80::1"},
			}}})
			_, err := get(t, rt, "http://"+host+"/")
			var blocked *BlockedError
			if !errors.As(err, &blocked) {
				t.Fatalf("got %v, want a BlockedError for %s", err, host)
			}
			if blocked.Reason == "" {
				t.Errorf("got reason %q for %s, want one", blocked.Reason, host)
			}
			if blocked.Addr.IsValid() && strings.HasSuffix(host, ".test") && (strings.Contains(err.Error(), blocked.Addr.String()) || strings.Contains(err.Error(), blocked.Reason)) {
				t.Errorf("the message tells what %s resolves to: %v", host, err)
			}
		})
	}
}

func TestGuardAllowsPublicAddresses(t *testing.T) {
	t.Parallel()
	g := newGuard(TransportConfig{})
	for _, s := range []string{
		"8.8.8.8", "1.1.1.1", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.1", "169.253.1.1", "192.0.1.1",
		"::ffff:8.8.8.8", "2606:4700::1111", "2a00:1450:4001::1", "2001:4860:4860::8888", "2400:cb00::1",
	} {
		if reason := g.reject(netip.MustParseAddr(s)); reason != "" {
			t.Errorf("got %q for %s, want it allowed", reason, s)
		}
	}
}

func TestGuardAllowList(t *testing.T) {
	t.Parallel()
	g := newGuard(TransportConfig{Allow: []netip.Prefix{
		netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("fd00:1::/32"),
	}})
	for s, want := range map[string]bool{
		"10.1.2.3": true, "::ffff:10.1.2.3": true, "10.2.0.1": false, "127.0.0.1": false, "fd00:1::5": true, "fd00:2::5": false,
		"64:ff9b::8.8.8.8": true, "64:ff9b::10.1.2.3": true, "64:ff9b::127.0.0.1": false, "64:ff9b::a9fe:a9fe": false,
	} {
		if got := g.reject(netip.MustParseAddr(s)) == ""; got != want {
			t.Errorf("got allowed=%t for %s, want %t", got, s, want)
		}
	}
}

func TestDevelopmentAllowsLoopbackOnly(t *testing.T) {
	t.Parallel()
	g := newGuard(TransportConfig{AllowLoopback: true})
	for s, want := range map[string]bool{
		"127.0.0.1": true, "127.9.9.9": true, "::1": true, "::ffff:127.0.0.1": true,
		"0.0.0.0": false, "::": false, "10.0.0.1": false, "169.254.169.254": false, "64:ff9b::127.0.0.1": false,
	} {
		if got := g.reject(netip.MustParseAddr(s)) == ""; got != want {
			t.Errorf("got allowed=%t for %s, want %t", got, s, want)
		}
	}
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(srv.Close)
	if _, err := get(t, NewTransport(TransportConfig{AllowLoopback: true}), srv.URL); err != nil {
		t.Errorf("got %v, want loopback to respond in development", err)
	}
	var blocked *BlockedError
	if _, err := get(t, NewTransport(TransportConfig{}), srv.URL); !errors.As(err, &blocked) {
		t.Errorf("got %v, want a BlockedError outside development", err)
	}
}

// recorder stands for the network: it notes what is dialled and connects to a local server instead.
type recorder struct {
	mu     sync.Mutex
	dialed []string
	target string
	fail   map[string]bool
}

func (r *recorder) connect(ctx context.Context, network, address string) (net.Conn, error) {
	r.mu.Lock()
	r.dialed = append(r.dialed, address)
	fail := r.fail[address]
	r.mu.Unlock()
	if fail {
		return nil, errors.New("unreachable")
	}
	return (&net.Dialer{}).DialContext(ctx, network, r.target)
}

func transportThrough(cfg TransportConfig, r *recorder) *http.Transport {
	g := newGuard(cfg)
	g.connect = r.connect
	return &http.Transport{DialContext: g.dial, DisableKeepAlives: true}
}

func TestNameIsResolvedOnceAndPinned(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(srv.Close)
	dns := &fakeDNS{answers: map[string][]string{"rebind.test": {"93.184.216.34", "127.0.0.1"}}}
	net := &recorder{target: srv.Listener.Addr().String()}
	rt := transportThrough(TransportConfig{Resolver: dns}, net)

	if _, err := get(t, rt, "http://rebind.test/"); err != nil {
		t.Fatalf("got %v for the public answer", err)
	}
	if dns.lookups != 1 || len(net.dialed) != 1 || net.dialed[0] != "93.184.216.34:80" {
		t.Fatalf("got %d lookups and dials %v, want one lookup and the address it gave", dns.lookups, net.dialed)
	}
	var blocked *BlockedError
	if _, err := get(t, rt, "http://rebind.test/"); !errors.As(err, &blocked) {
		t.Fatalf("got %v for the second answer, want a BlockedError", err)
	}
	if len(net.dialed) != 1 {
		t.Errorf("got dials %v, want none after the first", net.dialed)
	}
}

func TestOnlyThePublicOnesOfSeveralAddressesAreDialled(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(srv.Close)
	dns := &fakeDNS{answers: map[string][]string{"mixed.test": {"127.0.0.1 93.184.216.34 10.0.0.1 1.1.1.1"}}}
	net := &recorder{target: srv.Listener.Addr().String(), fail: map[string]bool{"93.184.216.34:80": true}}
	if _, err := get(t, transportThrough(TransportConfig{Resolver: dns}, net), "http://mixed.test/"); err != nil {
		t.Fatalf("got %v, want the second public address to respond", err)
	}
	if want := []string{"93.184.216.34:80", "1.1.1.1:80"}; strings.Join(net.dialed, " ") != strings.Join(want, " ") {
		t.Errorf("got dials %v, want %v", net.dialed, want)
	}
}

func TestRedirectsAreChecked(t *testing.T) {
	t.Parallel()
	for _, location := range []string{
		"http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/", "http://[::1]:1/", "http://2130706433/",
		"http://inside.test/", "https://inside.test/",
	} {
		t.Run(location, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(http.RedirectHandler(location, http.StatusTemporaryRedirect))
			t.Cleanup(srv.Close)
			dns := &fakeDNS{answers: map[string][]string{"outside.test": {"93.184.216.34"}, "inside.test": {"192.168.7.7"}}}
			net := &recorder{target: srv.Listener.Addr().String()}
			_, err := get(t, transportThrough(TransportConfig{Resolver: dns}, net), "http://outside.test/")
			if _, ok := errors.AsType[*BlockedError](err); !ok {
				t.Fatalf("got %v, want a BlockedError behind the redirect", err)
			}
			if len(net.dialed) != 1 {
				t.Errorf("got dials %v, want only the first hop", net.dialed)
			}
		})
	}
}

func TestDialerChecksAgainBeforeConnecting(t *testing.T) {
	t.Parallel()
	g := newGuard(TransportConfig{})
	for _, address := range []string{"127.0.0.1:80", "[::1]:443", "[::ffff:10.0.0.1]:80", "[fe80::1%lo]:80", "nonsense"} {
		var blocked *BlockedError
		if err := g.control(t.Context(), "tcp", address, nil); !errors.As(err, &blocked) {
			t.Errorf("got %v for %s, want a BlockedError", err, address)
		}
	}
	_, err := g.dialer.DialContext(t.Context(), "tcp", "127.0.0.1:1")
	if _, ok := errors.AsType[*BlockedError](err); !ok {
		t.Errorf("got %v from the dialer itself, want a BlockedError", err)
	}
}

func TestEnvironmentProxyIsIgnored(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	if NewTransport(TransportConfig{}).Proxy != nil {
		t.Error("got a proxy without one in the configuration")
	}
}

func TestConfiguredProxy(t *testing.T) {
	t.Parallel()
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = append(asked, r.URL.String()) }))
	t.Cleanup(proxy.Close)
	proxyURL, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	dns := &fakeDNS{answers: map[string][]string{"public.test": {"93.184.216.34"}, "inside.test": {"10.0.0.1"}}}
	rt := NewTransport(TransportConfig{Proxy: proxyURL, Resolver: dns})
	if _, err := get(t, rt, "http://public.test/x"); err != nil {
		t.Fatalf("got %v through the proxy", err)
	}
	var blocked *BlockedError
	if _, err := get(t, rt, "http://inside.test/y"); !errors.As(err, &blocked) {
		t.Errorf("got %v for a private target, want a BlockedError", err)
	}
	if len(asked) != 1 || asked[0] != "http://public.test/x" {
		t.Errorf("the proxy was asked for %v, want the public target only", asked)
	}
}

func TestUnknownNameIsADNSError(t *testing.T) {
	t.Parallel()
	_, err := get(t, NewTransport(TransportConfig{Resolver: &fakeDNS{}}), "http://nowhere.test/")
	var dns *net.DNSError
	if !errors.As(err, &dns) || !dns.IsNotFound {
		t.Errorf("got %v, want a DNS error that says not found", err)
	}
}
