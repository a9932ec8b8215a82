package demo

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"
)

// tokenTime is how long an access token of the desk is good for: so short that the demo sees the next one.
const tokenTime = time.Second

// desk is a provider that is connected by signing in. A refresh token is good for one use; a second one revokes everything.
type desk struct {
	mu        sync.Mutex
	challenge string
	access    string
	until     time.Time
	refresh   string
	issued    int
	reused    bool
}

// ServeHTTP implements http.Handler.
func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch r.URL.Path {
	case "/authorize": // the customer allows it at once
		d.challenge = r.URL.Query().Get("code_challenge")
		back := r.URL.Query().Get("redirect_uri") + "?code=of-the-demo&state=" + url.QueryEscape(r.URL.Query().Get("state"))
		http.Redirect(w, r, back, http.StatusFound) //nolint:gosec // a provider of the demo
	case "/token":
		d.token(w, r)
	case "/me":
		if r.Header.Get("Authorization") != "Bearer "+d.access || time.Now().After(d.until) { //nolint:forbidigo // it is a provider
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, `{"name":"Noor Haddad"}`)
	default:
		http.NotFound(w, r)
	}
}

func (d *desk) token(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	ofCode := r.FormValue("code") == "of-the-demo" && base64.RawURLEncoding.EncodeToString(sum[:]) == d.challenge
	ofRefresh := d.refresh != "" && r.FormValue("refresh_token") == d.refresh
	if !ofCode && !ofRefresh {
		d.reused = true
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":"invalid_grant"}`)
		return
	}
	d.issued++
	d.access, d.refresh, d.until = fmt.Sprintf("access-%d", d.issued), fmt.Sprintf("refresh-%d", d.issued), time.Now().Add(tokenTime) //nolint:forbidigo // as above
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": d.access, "refresh_token": d.refresh, "expires_in": tokenTime.Seconds(), "token_type": "bearer"})
}

// signIn connects an account as a customer does, who clicks through the connect page.
func (d *demo) signIn(ctx context.Context) (string, error) {
	s := d.screen
	var integration, install created
	var link struct {
		Token string `json:"link_token"`
	}
	err := d.api.Post(ctx, "/integration", map[string]any{"name": "desk", "config": map[string]any{
		"label": "Desk", "base_url": d.deskURL,
		"credentials": map[string]any{"oauth2": map[string]any{"format": "oauth2", "config": map[string]any{
			"client": map[string]any{"id": "demo", "secret": "demo-client-secret"}, //nolint:gosec // of the demo
			"auth":   map[string]any{"tokenHost": d.deskURL, "tokenPath": "/token", "authorizePath": "/authorize"}, "scope": []string{"read"},
		}}},
		"resources": map[string]any{"me": map[string]any{"list": map[string]any{"path": "/me"}}},
	}}, &integration)
	if err == nil {
		err = d.api.Post(ctx, "/environment-integration", map[string]any{"integration_id": integration.ID, "show_in_catalog": true}, &install)
	}
	if err == nil {
		err = d.api.Post(ctx, "/link-token", map[string]any{"tenant_id": "globex"}, &link)
	}
	if err != nil {
		return "", err
	}
	s.hop("link token", "for tenant globex: good for one account, and for 7 days")
	page, err := d.browse(ctx, "/connect-account?integration=desk&link_token="+link.Token)
	if err != nil {
		return "", err
	}
	s.hop("page", "%s", page)
	var list struct {
		Result []struct {
			ID     string `json:"id"`
			Status string `json:"status"`
		} `json:"result"`
	}
	err = poll(ctx, "the account", func() (bool, error) {
		err := d.api.Get(ctx, "/integrated-account?tenant_id=globex", &list)
		return len(list.Result) == 1 && list.Result[0].Status == "active", err
	})
	if err != nil {
		return "", err
	}
	s.hop("account", "%s  desk, tenant globex; signed in with PKCE, its tokens are sealed", list.Result[0].ID)
	return list.Result[0].ID, nil
}

var (
	hiddenInput = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`)
	goesTo      = regexp.MustCompile(`<meta http-equiv="refresh" content="0; url=([^"]+)"`)
	headline    = regexp.MustCompile(`<h1>([^<]+)</h1>`)
)

// browse is the customer's browser, which has no scripts: it sends the form, goes to the provider and comes back. It returns what the
// pages say.
func (d *demo) browse(ctx context.Context, path string) (string, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return "", err
	}
	browser := &http.Client{Jar: jar, Timeout: 10 * time.Second}
	var said []string
	load := func(method, address string, form url.Values) (string, error) {
		req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
		if err != nil {
			return "", err
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := browser.Do(req)
		if err != nil {
			return "", err
		}
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		if m := headline.FindSubmatch(body); m != nil {
			said = append(said, html.UnescapeString(string(m[1])))
		}
		return string(body), err
	}
	page, err := load(http.MethodGet, d.api.Base+path, nil)
	if err != nil {
		return "", err
	}
	form := url.Values{}
	for _, m := range hiddenInput.FindAllStringSubmatch(page, -1) {
		form.Set(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	if page, err = load(http.MethodPost, d.api.Base+"/connect-account", form); err != nil {
		return "", err
	}
	to := goesTo.FindStringSubmatch(page)
	if to == nil {
		return "", fmt.Errorf("the connect page says %v and leads nowhere", said)
	}
	_, err = load(http.MethodGet, html.UnescapeString(to[1]), nil)
	return strings.Join(said, " -> "), err
}

// staysAlive waits for the end of the access token, calls the provider, and checks that the call did not notice.
func (d *demo) staysAlive(ctx context.Context, account string) (bool, error) {
	timer := time.NewTimer(tokenTime + 100*time.Millisecond)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false, context.Cause(ctx)
	case <-timer.C:
	}
	var me map[string]any
	err := d.api.Get(ctx, "/proxy/me?integrated_account_id="+account, &me)
	d.desk.mu.Lock()
	defer d.desk.mu.Unlock()
	return d.screen.check(err == nil && d.desk.issued > 1 && !d.desk.reused, "sign-in", "the access token had ended; the call got the next one, and no refresh token was used twice"), err
}
