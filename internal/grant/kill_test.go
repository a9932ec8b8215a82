package grant_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/egress"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/grant"
	"github.com/millrace/millrace/internal/millracetest/tokens"
	"github.com/millrace/millrace/internal/oauth"
	"github.com/millrace/millrace/internal/provider"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// order is what a node that is going to be killed has to do, and found is what it says before it is.
type (
	order struct {
		URL   string
		ID    millrace.IntegratedAccountID
		Token json.RawMessage `json:",omitempty"` // with which the account is connected again; empty: it is not
		Line  string          // on which it dies
		After time.Duration   // after which it dies, wherever it is; 0: never
		Times int             // how often it renews before it ends by itself
	}
	found struct {
		Refresh  string // the refresh token that the process before has left
		Stored   bool   // with a response
		Attempt  string // the second of the first request whose outcome is not known; empty: none
		Outcome  string // of the renewal that went on with that: ok, refused, unsure, error
		Cause    string
		Status   millrace.AccountStatus
		Error    string // last_error
		Attempts int64
	}
)

// TestMain is also the node that is killed.
func TestMain(m *testing.M) {
	if text := os.Getenv("GRANT_NODE"); text != "" {
		os.Exit(victim(text))
	}
	os.Exit(m.Run())
}

func victim(text string) int {
	var o order
	err := json.Unmarshal([]byte(text), &o)
	if err == nil {
		err = o.live(context.Background())
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

func (o *order) live(ctx context.Context) error {
	db, err := store.Open(ctx, store.Config{URL: o.URL, Cipher: storetest.Cipher{}})
	if err != nil {
		return err
	}
	db.SetQueue(storetest.NoQueue{})
	k, err := keeperOf(db, slog.New(slog.DiscardHandler), 2*time.Second)
	if err != nil {
		return err
	}
	f, err := o.recover(ctx, db, k)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(f)
	if err != nil {
		return err
	}
	fmt.Println(string(raw))
	if len(o.Token) > 0 {
		if err := reconnect(ctx, db, o.ID, o.Token); err != nil {
			return err
		}
	} else if f.Outcome == "refused" {
		return nil // the test connects it again
	}
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // the test says when
	k.OnStep(func(line string) {
		if line == o.Line {
			die()
		}
	})
	if o.After > 0 {
		time.AfterFunc(o.After, die)
	}
	for range o.Times {
		generation, _, err := o.release(ctx, db)
		if err == nil {
			err = k.Renew(ctx, env, o.ID, generation)
		}
		if unsure := (*provider.UnsureError)(nil); err != nil && !errors.As(err, &unsure) {
			return err
		}
		if err != nil {
			return nil //nolint:nilerr // the connection was cut
		}
	}
	return nil
}

// recover goes on with what the process before has left.
func (o *order) recover(ctx context.Context, db *store.DB, k *grant.Keeper) (*found, error) {
	generation, f, err := o.release(ctx, db)
	if err != nil || len(o.Token) > 0 {
		return f, err
	}
	if f.Attempt == "" && !f.Stored {
		f.Outcome = "ok"
		return f, nil
	}
	var refused *provider.RefusedError
	var unsure *provider.UnsureError
	switch err := k.Renew(ctx, env, o.ID, generation); {
	case errors.As(err, &refused):
		f.Outcome, f.Cause = "refused", refused.Cause
	case errors.As(err, &unsure):
		f.Outcome, f.Cause = "unsure", unsure.Cause
	case err != nil:
		return nil, err
	default:
		f.Outcome = "ok"
	}
	return f, db.View(ctx, func(tx *store.Tx) error {
		v, err := tx.Accounts().Get(ctx, env, o.ID)
		if err == nil {
			f.Status, f.Error = v.Status, v.LastError
		}
		return err
	})
}

// release lets the time pass for which a dead process holds its lease.
func (o *order) release(ctx context.Context, db *store.DB) (int64, *found, error) {
	f, generation := &found{}, int64(0)
	err := db.Update(ctx, func(tx *store.Tx) error {
		v, err := tx.Accounts().Lock(ctx, env, o.ID)
		if err != nil {
			return err
		}
		full, err := v.FullContext()
		if err != nil {
			return err
		}
		g, err := tx.Accounts().Grants().Lock(ctx, env, o.ID)
		if err != nil {
			return err
		}
		*f = found{Stored: len(g.Response) > 0, Attempts: g.Attempts}
		_, _, f.Refresh = millrace.OAuthToken(full)
		if g.AttemptAt != 0 {
			f.Attempt = g.AttemptAt.Std().UTC().Format("15:04:05")
		}
		g.LeaseUntil, g.RetryAt = 0, 0
		generation = g.Generation //commit:allow the only writer
		return tx.Accounts().Grants().Save(ctx, g)
	})
	return generation, f, err
}

func reconnect(ctx context.Context, db *store.DB, id millrace.IntegratedAccountID, token json.RawMessage) error {
	return db.Update(ctx, func(tx *store.Tx) error {
		v, err := tx.Accounts().Lock(ctx, env, id)
		if err != nil {
			return err
		}
		raw, err := json.Marshal(map[string]any{"oauth": map[string]any{"token": token}})
		if err != nil {
			return err
		}
		if err := account.MergeContext(ctx, tx, v, raw); err != nil {
			return err
		}
		v.Status, v.LastError = millrace.AccountActive, "" //commit:allow the row was read in the same transaction
		return account.Update(ctx, tx, v)
	})
}

// keeperOf returns what renews tokens on a node; a request for a token may take so long.
func keeperOf(db *store.DB, logger *slog.Logger, timeout time.Duration) (*grant.Keeper, error) {
	client, err := oauth.New(oauth.ClientConfig{Transport: egress.NewTransport(egress.TransportConfig{AllowLoopback: true}), Timeout: timeout})
	if err != nil {
		return nil, err
	}
	fetcher, err := fetch.New(fetch.FetcherConfig{Client: &http.Client{}})
	if err != nil {
		return nil, err
	}
	accounts := provider.NewFetcher(db, fetcher, provider.NewRateBudget(db, time.Now, logger, 0), logger, nil)
	return grant.New(grant.Config{DB: db, Client: client, Configs: accounts.Config, Clock: time.Now, Logger: logger}), nil
}

// wire stands between a node and a provider. It knows which refresh tokens the provider has taken, and cuts connections.
type wire struct {
	*httptest.Server
	provider string
	mu       sync.Mutex
	cut      string          // the next request: before, after, half
	granted  map[string]bool // refresh tokens for which the provider has granted a pair
	slow     time.Duration
	busy     int        // requests that it is working on
	idle     *sync.Cond // none is
}

func newWire(t *testing.T, provider string) *wire {
	t.Helper()
	w := &wire{provider: provider, granted: map[string]bool{}}
	w.idle = sync.NewCond(&w.mu)
	w.Server = httptest.NewServer(w)
	t.Cleanup(w.Close)
	return w
}

func (w *wire) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.busy++
	cut, slow := w.cut, w.slow
	w.cut = ""
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.busy--
		w.idle.Broadcast()
	}()
	body, err := io.ReadAll(r.Body)
	if err != nil || cut == "before" {
		panic(http.ErrAbortHandler)
	}
	form, _ := url.ParseQuery(string(body))
	// The provider goes on when the node is gone.
	request, err := http.NewRequestWithContext(context.WithoutCancel(r.Context()), r.Method, w.provider+r.URL.Path, bytes.NewReader(body))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	request.Header = r.Header.Clone()
	resp, err := http.DefaultClient.Do(request)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer func() { _ = resp.Body.Close() }()
	response, err := io.ReadAll(resp.Body)
	if resp.StatusCode == http.StatusOK {
		w.mu.Lock()
		w.granted[form.Get("refresh_token")] = true
		w.mu.Unlock()
	}
	if err != nil || cut == "after" {
		panic(http.ErrAbortHandler)
	}
	if slow > 0 {
		pause := time.NewTimer(slow)
		defer pause.Stop()
		<-pause.C
	}
	out.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
	out.Header().Set("Content-Length", strconv.Itoa(len(response)))
	out.WriteHeader(resp.StatusCode)
	if cut == "half" {
		_, _ = out.Write(response[:len(response)/2])
		_ = http.NewResponseController(out).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = out.Write(response)
}

// next says what becomes of the next request.
func (w *wire) next(cut string, slow time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut, w.slow = cut, slow
}

// took reports whether the provider has granted a pair for a refresh token, as soon as it has ended what it was asked.
func (w *wire) took(refresh string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settle()
	return w.granted[refresh]
}

// settle waits until nothing is asked of the provider. mu is held.
func (w *wire) settle() {
	for w.busy > 0 {
		w.idle.Wait()
	}
}

// strict is a provider that kills are tried on.
type strict struct {
	url    string
	client string // client and auth of a config
	grace  bool
	token  func() json.RawMessage // connects the account
}

// tally counts the outcomes of all kills.
type tally struct{ kills, cuts, whole, stored, uncommitted, graced, lost int }

// TestKillsLoseNoGrant kills nodes, and cuts their connections, inside of renewals. An account is lost only where nothing can save it:
// the provider has replaced the refresh token, takes no used one again, and its response died with the process.
func TestKillsLoseNoGrant(t *testing.T) {
	t.Parallel()
	kills := 12
	if n, err := strconv.Atoi(os.Getenv("MILLRACE_GRANTS")); err == nil {
		kills = n
	}
	for name, start := range map[string]func(*testing.T) *strict{
		"no grace": func(t *testing.T) *strict { return tokensProvider(t, 0) },
		"grace":    func(t *testing.T) *strict { return tokensProvider(t, time.Hour) },
		"oidc":     oidcProvider,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.EachURL(t, func(t *testing.T, url string) { killMany(t, start(t), url, kills) })
		})
	}
}

func tokensProvider(t *testing.T, grace time.Duration) *strict {
	t.Helper()
	s := tokens.Start()
	t.Cleanup(s.Close)
	s.Grace, s.Lifetime = grace, 30*time.Second
	return &strict{
		url: s.URL, grace: grace > 0, client: `"client":{"id":"` + tokens.ClientID + `","secret":"` + tokens.ClientSecret + `"},"auth":{"tokenHost":"$URL","tokenPath":"/token","authorizePath":"/authorize"}`,
		token: func() json.RawMessage {
			access, refresh := s.Grant()
			return json.RawMessage(`{"access_token":"` + access + `","refresh_token":"` + refresh + `","expires_in":30}`)
		},
	}
}

func killMany(t *testing.T, p *strict, address string, kills int) {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	w := newWire(t, p.url)
	db := storetest.Open(t, address)
	id := connectAccount(t, db, strings.ReplaceAll(`{"base_url":"$URL","credentials":{"oauth2":{"format":"oauth2","config":{`+p.client+`}}},"resources":{"things":{"list":{"method":"get","path":"/api"}}}}`, "$URL", w.URL), p.token())
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	var sum tally
	o := &order{URL: address, ID: id, Times: 1}
	for i := 0; i <= kills; i++ {
		o.Line, o.After, o.Times = "", 0, 1
		cut, slow := "", time.Duration(0)
		switch n := random.IntN(10); {
		case i == kills: // look at what the last one has left
		case n < 4:
			o.Line = []string{"claimed", "sent", "kept", "taking", "taken"}[random.IntN(5)]
			sum.kills++
		case n < 7:
			o.After, o.Times = time.Duration(random.IntN(60_000))*time.Microsecond, 1000
			slow = time.Duration(random.IntN(20)) * time.Millisecond
			sum.kills++
		default:
			cut = []string{"before", "after", "half"}[random.IntN(3)]
			sum.cuts++
		}
		f := o.run(t, w, cut, slow)
		o.Token = nil
		sum.count(t, p, w, f)
		if f.Outcome == "refused" {
			o.Token = p.token()
			again := *o
			again.Line, again.After, again.Times = "", 0, 0
			again.run(t, w, "", 0)
			o.Token = nil
		}
	}
	t.Logf("%d kills and %d cut connections: %d had left nothing open, %d were saved by the stored response, %d had not reached the provider, %d were saved by grace, %d lost because the only copy of the next refresh token died",
		sum.kills, sum.cuts, sum.whole, sum.stored, sum.uncommitted, sum.graced, sum.lost)
	if sum.kills+sum.cuts != kills {
		t.Errorf("%d incidents, want %d", sum.kills+sum.cuts, kills)
	}
}

// count says what one incident came to, and complains about an account that was lost without need.
func (s *tally) count(t *testing.T, p *strict, w *wire, f *found) {
	t.Helper()
	taken := w.took(f.Refresh)
	switch {
	case f.Outcome == "": // it was connected again
	case f.Outcome == "refused" && (f.Stored || p.grace || f.Attempt == "" || !taken):
		t.Errorf("an account was lost that could be saved: %+v", *f)
	case f.Outcome == "refused":
		s.lost++
		if !strings.Contains(f.Cause, "was lost") || !strings.Contains(f.Error, f.Attempt) || f.Status != millrace.AccountNeedsReauth {
			t.Errorf("the loss is not named: %+v", *f)
		}
	case f.Outcome != "ok":
		t.Errorf("the renewal after an incident came to %+v", *f)
	case f.Stored:
		s.stored++
	case f.Attempt == "":
		s.whole++
	case p.grace && f.Attempts > 0 && taken:
		s.graced++
	default:
		s.uncommitted++
	}
}

// run runs a node until it is dead, and returns what it has found. cut is what becomes of the first request after that.
func (o *order) run(t *testing.T, w *wire, cut string, slow time.Duration) *found {
	t.Helper()
	raw, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "GRANT_NODE="+string(raw))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	f := &found{}
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), f) != nil {
		t.Fatalf("the node said %q", lines.Text())
	}
	w.next(cut, slow)
	_ = in.Close()
	for lines.Scan() {
		t.Errorf("the node said %q", lines.Text())
	}
	_ = cmd.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settle()
	return f
}

// signIn goes through the pages of the provider as a user does, and returns the first response with tokens.
func signIn(t *testing.T, issuer, secret string) json.RawMessage {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host == "millrace.test" {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	verifier := oauth.Verifier()
	sum := sha256.Sum256([]byte(verifier))
	query := url.Values{
		"client_id": {"post"}, "response_type": {"code"}, "redirect_uri": {"https://millrace.test/callback"}, "scope": {"openid offline_access"}, "prompt": {"consent"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	resp, err := client.Get(issuer + "/auth?" + query.Encode())
	for _, form := range []url.Values{{"prompt": {"login"}, "login": {"user-1"}, "password": {"x"}}, {"prompt": {"consent"}}} {
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("the provider did not ask the user: %v, %v", resp, err)
		}
		page := resp.Request.URL.String()
		_ = resp.Body.Close()
		resp, err = client.PostForm(page, form)
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	back, err := resp.Location()
	if err != nil {
		t.Fatal(err)
	}
	resp, err = http.PostForm(issuer+"/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {"https://millrace.test/callback"}, "code_verifier": {verifier},
		"client_id": {"post"}, "client_secret": {secret},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("the provider has granted nothing: %s %v", resp.Status, err)
	}
	return raw
}

// oidcProvider starts npm's oidc-provider, which revokes everything when a refresh token is used twice.
func oidcProvider(t *testing.T) *strict {
	t.Helper()
	folder := os.Getenv("MILLRACE_OIDC_PROVIDER")
	if folder == "" {
		t.Skip("SKIPPED: MILLRACE_OIDC_PROVIDER does not name a folder with oidc-provider; make grants makes one")
	}
	const secret = "client-secret-of-tests-long-enough-for-it"
	config, err := json.Marshal(map[string]any{"clients": []any{map[string]any{
		"client_id": "post", "client_secret": secret, "token_endpoint_auth_method": "client_secret_post", "redirect_uris": []string{"https://millrace.test/callback"},
		"grant_types": []string{"authorization_code", "refresh_token"}, "response_types": []string{"code"},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("../oauth/testdata/oidc-provider.mjs")
	if err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(folder, "grants-"+millrace.NewID[string]()+".mjs") // node looks for packages where the script is
	if err := os.WriteFile(at, script, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", at)
	cmd.Env = append(os.Environ(), "OIDC_CONFIG="+string(config), "OIDC_ACCESS_TOKEN=30")
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
		_ = os.Remove(at)
	})
	issuer := ""
	for lines := bufio.NewScanner(out); issuer == "" && lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "http://") {
			issuer = lines.Text()
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return &strict{
		url: issuer, client: `"client":{"id":"post","secret":"` + secret + `"},"options":{"authorizationMethod":"body"},"auth":{"tokenHost":"$URL","tokenPath":"/token","authorizePath":"/auth"}`,
		token: func() json.RawMessage { return signIn(t, issuer, secret) },
	}
}
