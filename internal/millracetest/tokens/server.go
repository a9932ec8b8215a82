package tokens

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// The client that the server knows.
const (
	ClientID     = "app-of-tests"
	ClientSecret = "client-secret-of-tests"
	Scope        = "read write"
)

// Server is an authorization server with an API of its own. The zero value is not ready; see [Start].
type Server struct {
	URL string // where /authorize, /token, /revoke, /login and /api are

	Rotate   bool          // a refresh gives a new refresh token; the old one is dead, and its second use revokes all of its family
	Grace    time.Duration // for how long a refresh token that was used may be used again
	Lifetime time.Duration // of access tokens; 0: an hour
	Skew     time.Duration // how far the server's clock is ahead
	Redirect url.Values    // further parameters of the redirect

	http     *httptest.Server
	release  chan struct{}
	mu       sync.Mutex
	now      func() time.Time
	next     []Fault
	always   Fault
	requests []Request
	codes    map[string]*family
	refresh  map[string]*family // every refresh token that was ever issued
	access   map[string]*accessToken
	used     []string
	serial   int
	denied   int
}

// Request is a request for a token, as it came.
type Request struct {
	Form  url.Values
	Basic bool // the client was named in the header
	Fault Fault
}

// family is what was issued for one code: it is revoked as one.
type family struct {
	challenge string
	redirect  string
	current   string               // the refresh token that counts
	usedAt    map[string]time.Time // of refresh tokens that do not any more
	revoked   bool
}

type accessToken struct {
	family  *family
	expires time.Time
}

// Start starts a server; the caller closes it.
func Start() *Server {
	s := &Server{
		Rotate: true, release: make(chan struct{}), now: time.Now,
		codes: map[string]*family{}, refresh: map[string]*family{}, access: map[string]*accessToken{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /authorize", s.authorize)
	mux.HandleFunc("POST /token", s.token)
	mux.HandleFunc("POST /login", s.login)
	mux.HandleFunc("POST /revoke", s.revoke)
	mux.HandleFunc("/api", s.api)
	s.http = httptest.NewServer(mux)
	s.URL = s.http.URL
	return s
}

// Close ends the server, and with it every silence.
func (s *Server) Close() {
	s.Release()
	s.http.CloseClientConnections()
	s.http.Close()
}

// SetClock gives the server another clock, for what it issues from then on.
func (s *Server) SetClock(now func() time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = now
}

// Next makes the next requests for tokens fail, each in its way. [Well] stands for one that does not.
func (s *Server) Next(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = append(s.next, faults...)
}

// Always makes every request for a token fail for which nothing else was said; [Well] ends that.
func (s *Server) Always(fault Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.always = fault
}

// Release ends every silence, those to come included.
func (s *Server) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.release:
	default:
		close(s.release)
	}
}

// Requests returns the requests for tokens so far.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Used returns the refresh tokens that were used, in order, each as often as it was.
func (s *Server) Used() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.used)
}

// Denied returns how many refresh tokens were rejected as invalid.
func (s *Server) Denied() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.denied
}

// Grant issues a first access token and its refresh token, without a redirect.
func (s *Server) Grant() (string, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pair := s.issue(&family{usedAt: map[string]time.Time{}})
	return pair.access, pair.refresh
}

// Revoke revokes everything that was issued so far, as a user does who takes an app its access.
func (s *Server) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.refresh {
		f.revoked = true
	}
	for _, a := range s.access {
		a.family.revoked = true
	}
}

// ExpireAccess ends the access tokens that were issued so far.
func (s *Server) ExpireAccess() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.access {
		a.expires = time.Time{}
	}
}

// Alive reports whether a refresh token may be used: it is the one that counts, and was not revoked.
func (s *Server) Alive(refresh string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.refresh[refresh]
	return f != nil && !f.revoked && f.current == refresh
}

// authorize is a user who allows everything at once, and with deny in the query nothing.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	target, err := url.Parse(query.Get("redirect_uri"))
	if err != nil || target.Host == "" || query.Get("client_id") != ClientID || query.Get("response_type") != "code" {
		http.Error(w, "the request for an authorization is wrong", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := target.Query()
	out.Set("state", query.Get("state"))
	if query.Has("deny") {
		out.Set("error", "access_denied")
		out.Set("error_description", "The user said no.")
	} else {
		code := s.name("code")
		s.codes[code] = &family{challenge: query.Get("code_challenge"), redirect: query.Get("redirect_uri"), usedAt: map[string]time.Time{}}
		out.Set("code", code)
		maps.Copy(out, s.Redirect)
	}
	target.RawQuery = out.Encode()
	http.Redirect(w, r, target.String(), http.StatusFound)
}

// token is the token endpoint.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	id, secret, basic := r.BasicAuth()
	if !basic {
		id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	s.mu.Lock()
	fault := s.fault()
	s.requests = append(s.requests, Request{Form: r.PostForm, Basic: basic, Fault: fault})
	if fault.before() {
		s.mu.Unlock()
		s.misbehave(w, r, fault)
		return
	}
	reply := reply{"error": "invalid_client", "error_description": "The client " + id + " or its secret " + secret + " is wrong."}
	if id == ClientID && secret == ClientSecret {
		reply = s.exchange(r.PostForm)
	}
	s.mu.Unlock()
	s.respond(w, r, fault, reply)
}

func (s *Server) fault() Fault {
	if len(s.next) > 0 {
		fault := s.next[0]
		s.next = s.next[1:]
		return fault
	}
	return s.always
}

// exchange commits what a request asks for, and returns the response to it.
func (s *Server) exchange(form url.Values) reply {
	switch form.Get("grant_type") {
	case "authorization_code":
		f := s.codes[form.Get("code")]
		delete(s.codes, form.Get("code"))
		if f == nil || f.redirect != form.Get("redirect_uri") || !f.verifies(form.Get("code_verifier")) {
			return reply{"error": "invalid_grant", "error_description": "The code " + form.Get("code") + " is not valid."}
		}
		return s.issue(f).reply(s)
	case "refresh_token":
		return s.renew(form.Get("refresh_token"))
	case "client_credentials", "kekaapi", "urn:ietf:params:oauth:grant-type:jwt-bearer":
		out := s.issue(&family{usedAt: map[string]time.Time{}}).reply(s)
		delete(out, "refresh_token")
		return out
	}
	return reply{"error": "unsupported_grant_type"}
}

func (f *family) verifies(verifier string) bool {
	sum := sha256.Sum256([]byte(verifier))
	return f.challenge == "" || base64.RawURLEncoding.EncodeToString(sum[:]) == f.challenge
}

// renew takes a refresh token. One that was used already is a sign of a theft: all of its family is revoked.
func (s *Server) renew(token string) reply {
	s.used = append(s.used, token)
	f := s.refresh[token]
	if f == nil || f.revoked || f.current != token && s.now().Sub(f.usedAt[token]) > s.Grace {
		s.denied++
	}
	switch {
	case f == nil || f.revoked:
		return reply{"error": "invalid_grant", "error_description": "The refresh token " + token + " is not valid."}
	case f.current != token && s.now().Sub(f.usedAt[token]) > s.Grace:
		f.revoked = true
		return reply{"error": "invalid_grant", "error_description": "The refresh token was used twice. Everything is revoked."}
	}
	if _, again := f.usedAt[token]; !again {
		f.usedAt[token] = s.now()
	}
	return s.issue(f).reply(s)
}

type pair struct{ access, refresh string }

// issue makes a pair of tokens of a family.
func (s *Server) issue(f *family) pair {
	if f.current == "" || s.Rotate {
		f.current = s.name("refresh")
		s.refresh[f.current] = f
	}
	access := s.name("access")
	s.access[access] = &accessToken{f, s.now().Add(s.lifetime())}
	return pair{access, f.current}
}

func (s *Server) lifetime() time.Duration {
	if s.Lifetime > 0 {
		return s.Lifetime
	}
	return time.Hour
}

func (p pair) reply(s *Server) reply {
	return reply{
		"access_token": p.access, "refresh_token": p.refresh, "token_type": "Bearer", "expires_in": int(s.lifetime().Seconds()), "scope": Scope,
	}
}

// name makes a token: every one is another, and says what it is.
func (s *Server) name(kind string) string {
	s.serial++
	return fmt.Sprintf("%s-token-%06d-of-tests", kind, s.serial)
}

// login exchanges a name and a password for a session token, deep in the response.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	s.mu.Lock()
	fault := s.fault()
	s.requests = append(s.requests, Request{Form: r.PostForm, Fault: fault})
	s.mu.Unlock()
	if fault.before() {
		s.misbehave(w, r, fault)
		return
	}
	if r.PostForm.Get("password") != ClientSecret {
		s.respond(w, r, Well, reply{"status": http.StatusUnauthorized, "message": "wrong password " + r.PostForm.Get("password")})
		return
	}
	s.mu.Lock()
	p := s.issue(&family{usedAt: map[string]time.Time{}})
	s.mu.Unlock()
	s.respond(w, r, fault, reply{"session": map[string]any{"token": p.access, "expires": s.clock().Add(s.lifetime()).Format(time.RFC3339)}})
}

// revoke revokes the family of a token, and says yes to any.
func (s *Server) revoke(_ http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	s.mu.Lock()
	defer s.mu.Unlock()
	token := r.PostForm.Get("token")
	if f := s.refresh[token]; f != nil {
		f.revoked = true
	}
	if a := s.access[token]; a != nil {
		a.family.revoked = true
	}
}

// api responds to an access token that is valid.
func (s *Server) api(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	a := s.access[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	valid := a != nil && !a.family.revoked && s.now().Before(a.expires)
	s.mu.Unlock()
	if !valid {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"ok":true}`))
}

// clock is what the server takes for the time.
func (s *Server) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now().Add(s.Skew)
}
