package egress

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Resolver looks up the addresses of a name. *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// TransportConfig configures the transport of all outbound requests. The zero value works: public addresses only,
// no proxy.
type TransportConfig struct {
	AllowLoopback bool           // development: this machine may be called
	Allow         []netip.Prefix // networks that may be called although they are not public
	Proxy         *url.URL       // all requests go through it; nil: none, whatever the environment says
	Resolver      Resolver       // nil: the system's
	DialTimeout   time.Duration  // for one connection, name lookup included; 0: 10 s
	Logger        *slog.Logger   // tells the operator where blocked requests would have gone; nil: nothing does
}

const (
	defaultDialTimeout = 10 * time.Second
	headerTimeout      = 60 * time.Second // callers have deadlines of their own; this one ends what has none
	maxHeaderBytes     = 256 << 10
)

// BlockedError says that a request was rejected because of where it would have gone.
type BlockedError struct {
	Host   string     // as the URL names it
	Addr   netip.Addr // what it resolved to; invalid when the name itself was rejected
	Reason string
}

// Error is for tenants: what a name resolves to here is the operator's business, so it says neither the address nor what kind
// it is of. About an address in the URL it says the reason.
func (e *BlockedError) Error() string {
	if !e.Addr.IsValid() || e.Host == e.Addr.String() {
		return fmt.Sprintf("calling %s is not allowed: %s", e.Host, e.Reason)
	}
	return fmt.Sprintf("calling %s is not allowed: it does not lead to a public address", e.Host)
}

// NewTransport returns the transport that every outbound request uses: webhooks, providers' APIs, token endpoints.
// URLs come from customers and from providers, so it must not be a way into the network it runs in. Each
// connection resolves its name once, rejects addresses that are not public, and dials the very address that was
// checked; a name that changes its mind in between gains nothing. Redirects open connections like any other
// request and are checked like any other. Rejections are of type [*BlockedError].
func NewTransport(cfg TransportConfig) *http.Transport {
	g := newGuard(cfg)
	t := &http.Transport{
		DialContext:            g.dial,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           512,
		MaxIdleConnsPerHost:    64,
		MaxConnsPerHost:        512, // above the number of tasks at work: what hangs on a host must not keep the rest from it
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  headerTimeout,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: maxHeaderBytes,
		WriteBufferSize:        64 << 10, // a page of records in one packet to the kernel
		// A connection that died without a word would otherwise take every request with it until the kernel notices.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second},
	}
	if cfg.Proxy != nil {
		g.proxyAddr = hostPort(cfg.Proxy)
		t.Proxy = g.proxy
	}
	return t
}

// guard decides which addresses may be dialled.
type guard struct {
	cfg       TransportConfig
	resolver  Resolver
	special   []network   // the networks of the Internet that are not public
	dialer    *net.Dialer // checks the address once more before it connects
	plain     *net.Dialer // for the proxy, which the operator chose
	proxyAddr string
	connect   func(ctx context.Context, network, address string) (net.Conn, error)
}

func newGuard(cfg TransportConfig) *guard {
	g := &guard{cfg: cfg, resolver: cfg.Resolver, special: specialNetworks()}
	if g.resolver == nil {
		g.resolver = net.DefaultResolver
	}
	timeout := cmp.Or(cfg.DialTimeout, defaultDialTimeout)
	g.cfg.DialTimeout = timeout
	g.plain = &net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second}
	g.dialer = &net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second, ControlContext: g.control}
	g.connect = g.dialer.DialContext
	return g
}

// dial connects to the first address of a name that may be called and accepts the connection.
func (g *guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if g.proxyAddr != "" && address == g.proxyAddr {
		return g.plain.DialContext(ctx, network, address)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, g.cfg.DialTimeout, errors.New("no connection within the dial timeout"))
	defer cancel()
	addrs, err := g.allowed(ctx, host)
	if err != nil {
		g.log(ctx, err)
		return nil, err
	}
	if ctx.Value(onlyCheck{}) != nil {
		return nil, errMayCall
	}
	var first error
	for i, addr := range addrs {
		conn, err := g.dialOne(ctx, network, net.JoinHostPort(addr.String(), port), len(addrs)-i)
		if err == nil {
			return conn, nil
		}
		first = cmp.Or(first, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, first
}

// dialOne tries one address, leaving time for those that remain.
func (g *guard) dialOne(ctx context.Context, network, address string, remaining int) (net.Conn, error) {
	if deadline, ok := ctx.Deadline(); ok && remaining > 1 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(remaining))
		defer cancel()
	}
	return g.connect(ctx, network, address)
}

// allowed resolves a host and returns its addresses that may be called. With none left, the error says why the
// first one may not.
func (g *guard) allowed(ctx context.Context, host string) ([]netip.Addr, error) {
	addrs, err := g.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	var ok []netip.Addr
	var rejected error
	for _, addr := range addrs {
		addr = addr.Unmap()
		if reason := g.reject(addr); reason != "" {
			rejected = cmp.Or(rejected, error(&BlockedError{Host: host, Addr: addr, Reason: reason}))
			continue
		}
		ok = append(ok, addr)
	}
	switch {
	case len(ok) > 0:
		return ok, nil
	case rejected != nil:
		return nil, rejected
	}
	return nil, &net.DNSError{Err: "no addresses", Name: host, IsNotFound: true}
}

// log keeps for the operator what the tenant is not shown: the address, or what the DNS server said.
func (g *guard) log(ctx context.Context, err error) {
	var blocked *BlockedError
	switch {
	case g.cfg.Logger == nil:
	case errors.As(err, &blocked):
		g.cfg.Logger.InfoContext(ctx, "outbound connection blocked", slog.String("host", blocked.Host),
			slog.String("address", blocked.Addr.String()), slog.String("reason", blocked.Reason))
	default:
		g.cfg.Logger.DebugContext(ctx, "name not resolved", slog.String("err", err.Error()))
	}
}

func (g *guard) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}, nil
	}
	if endsInNumber(host) {
		return nil, &BlockedError{Host: host, Reason: "it is an address in an unusual notation"}
	}
	addrs, err := g.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("resolve %s: %w", host, err)
	}
	return addrs, nil
}

// control checks the address that is about to be connected to. The address was checked before; this is the
// last line, for a mistake above it.
func (g *guard) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	dst, err := netip.ParseAddrPort(address)
	if err != nil {
		return &BlockedError{Host: "the host", Reason: "it is not an address"}
	}
	addr := dst.Addr().Unmap()
	if reason := g.reject(addr); reason != "" {
		return &BlockedError{Host: "the host", Addr: addr, Reason: reason}
	}
	return nil
}

// proxy checks a request's target, since the dial only sees the proxy. What the proxy resolves is its own affair.
func (g *guard) proxy(req *http.Request) (*url.URL, error) {
	if _, err := g.allowed(req.Context(), req.URL.Hostname()); err != nil {
		g.log(req.Context(), err)
		return nil, err
	}
	return g.cfg.Proxy, nil
}

// reject says why an address must not be called; empty: it may.
func (g *guard) reject(addr netip.Addr) string {
	addr = addr.WithZone("").Unmap()
	for _, prefix := range g.cfg.Allow {
		if prefix.Contains(addr) {
			return g.rejectTranslated(addr)
		}
	}
	if g.cfg.AllowLoopback && addr.IsLoopback() {
		return ""
	}
	for _, n := range g.special {
		if n.prefix.Contains(addr) {
			return n.name
		}
	}
	if addr.Is6() && !netip.MustParsePrefix("2000::/3").Contains(addr) {
		return "it is not a public address"
	}
	return ""
}

// BlockReason says why requests to an address or to localhost are blocked; empty: they are not, or the name has to be resolved first.
func (cfg *TransportConfig) BlockReason(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		host = "127.0.0.1"
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return ""
	}
	return newGuard(*cfg).reject(addr)
}

// rejectTranslated looks through an allowed NAT64 network: behind it is the whole of IPv4, private parts included.
func (g *guard) rejectTranslated(addr netip.Addr) string {
	if !netip.MustParsePrefix("64:ff9b::/96").Contains(addr) {
		return ""
	}
	bytes := addr.As16()
	return g.reject(netip.AddrFrom4([4]byte(bytes[12:])))
}

// endsInNumber reports whether the last label of a host is a number, which makes it an IPv4 address to some
// resolvers: 2130706433, 0x7f.1, 017700000001. No public name ends like that.
func endsInNumber(host string) bool {
	host = strings.TrimSuffix(host, ".")
	last := host[strings.LastIndexByte(host, '.')+1:]
	digits := "0123456789"
	if rest, ok := strings.CutPrefix(strings.ToLower(last), "0x"); ok {
		last, digits = rest, "0123456789abcdef"
	}
	return strings.Trim(strings.ToLower(last), digits) == ""
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), cmp.Or(port, "80"))
}

// network is a part of the address space with a reason not to call it.
type network struct {
	prefix netip.Prefix
	name   string
}

// specialNetworks lists what the registries of special-purpose addresses set apart, and the metadata services that
// clouds put on public addresses. Of IPv6 only 2000::/3 is public at all; listed are its exceptions, and others
// whose name says more.
func specialNetworks() []network {
	var networks []network
	for name, prefixes := range map[string]string{
		"it is a private address":              "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7 fec0::/10",
		"it is a loopback address":             "127.0.0.0/8 ::1/128",
		"it is a link-local address":           "169.254.0.0/16 fe80::/10",
		"it is a metadata service":             "168.63.129.16/32",
		"it is a carrier's shared address":     "100.64.0.0/10",
		"it is an unspecified address":         "0.0.0.0/8 ::/128",
		"it is a multicast address":            "224.0.0.0/4 ff00::/8",
		"it is a reserved address":             "240.0.0.0/4 192.0.0.0/24 198.18.0.0/15 192.88.99.0/24 100::/64 5f00::/16 2001::/23",
		"it is a documentation address":        "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 3fff::/20",
		"it is a translated IPv4 address":      "64:ff9b::/96 64:ff9b:1::/48 2002::/16 2001::/32 ::ffff:0:0:0/96",
		"it is an embedded IPv4 address":       "::/96",
		"it is the anycast of an AS112 server": "192.31.196.0/24 192.175.48.0/24 192.52.193.0/24 2620:4f:8000::/48",
	} {
		for prefix := range strings.FieldsSeq(prefixes) {
			networks = append(networks, network{netip.MustParsePrefix(prefix), name})
		}
	}
	// Narrow networks first: ::1 lies in ::/96.
	slices.SortFunc(networks, func(a, b network) int {
		return cmp.Or(cmp.Compare(b.prefix.Bits(), a.prefix.Bits()), strings.Compare(a.name, b.name))
	})
	return networks
}
