package integrations_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// provider says what a contract says, and nothing to anything else.
type provider struct {
	t        *testing.T
	headers  map[string]string
	anyHost  bool
	host     string
	mu       sync.Mutex
	expected []exchange
}

// expect adds exchanges to those that must happen.
func (p *provider) expect(list []exchange) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range list {
		for range max(e.Times, 1) {
			p.expected = append(p.expected, e)
		}
	}
}

// settle fails the test if something that was expected did not happen.
func (p *provider) settle() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.expected {
		p.t.Errorf("not requested: %s %s %v", cmp.Or(e.Request.Method, http.MethodGet), e.Request.Path, e.Request.Query)
	}
	p.expected = nil
}

// RoundTrip responds without a network.
func (p *provider) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w.Result(), nil
}

// ServeHTTP implements http.Handler.
func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	if !p.anyHost && r.URL.Host != p.host {
		p.t.Errorf("the request goes to %s, want %s", r.URL.Host, p.host)
	}
	for name, value := range p.headers {
		if got := r.Header.Get(name); got != value {
			p.t.Errorf("%s %s: header %s is %q, want %q", r.Method, r.URL, name, got, value)
		}
	}
	e, why := p.take(r, body)
	if e == nil {
		p.t.Errorf("unexpected request %s %s %s%s", r.Method, r.URL, body, why)
		w.WriteHeader(http.StatusTeapot)
		return
	}
	base := cmp.Or(r.URL.Scheme, "http") + "://" + cmp.Or(r.URL.Host, r.Host)
	fill := func(s string) string { return strings.ReplaceAll(s, "${base}", base) }
	if len(e.Response.Body) > 0 {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
	}
	for name, value := range e.Response.Headers {
		w.Header().Set(name, fill(value))
	}
	w.WriteHeader(cmp.Or(e.Response.Status, http.StatusOK))
	_, _ = io.WriteString(w, fill(string(e.Response.Body)))
}

// take removes the first expected exchange that a request is part of, or says why none fits.
func (p *provider) take(r *http.Request, body []byte) (*exchange, string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	why := ""
	for i, e := range p.expected {
		differs := e.Request.differs(r, body)
		if differs == "" {
			p.expected = append(p.expected[:i:i], p.expected[i+1:]...)
			return &e, ""
		}
		if e.Request.Path == r.URL.Path {
			why += "\n  expected instead: " + differs
		}
	}
	return nil, why
}

// differs says in what a request is not the expected one.
func (want *request) differs(r *http.Request, body []byte) string {
	if method := cmp.Or(want.Method, http.MethodGet); r.Method != method {
		return "method " + method
	}
	if r.URL.Path != want.Path {
		return "path " + want.Path
	}
	if s := differsInQuery(want.Query, r.URL.Query()); s != "" {
		return s
	}
	for name, value := range want.Headers {
		if !fits(value, r.Header.Get(name)) {
			return fmt.Sprintf("header %s: %s, not %q", name, value, r.Header.Get(name))
		}
	}
	var got any
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		got = formOf(body)
	} else if len(bytes.TrimSpace(body)) > 0 {
		if err := json.Unmarshal(body, &got); err != nil {
			return "a body of JSON, not " + string(body)
		}
	}
	if !fitsValue(want.Body, got) {
		return fmt.Sprintf("body %v", want.Body)
	}
	return ""
}

func formOf(body []byte) any {
	fields, _ := url.ParseQuery(string(body))
	form := map[string]any{}
	for name := range fields {
		form[name] = fields.Get(name)
	}
	return form
}

func differsInQuery(want map[string]any, got url.Values) string {
	for name, value := range want {
		s := fmt.Sprint(value)
		if n, ok := value.(float64); ok {
			s = strconv.FormatFloat(n, 'f', -1, 64)
		}
		if !fits(s, strings.Join(got[name], ",")) || !got.Has(name) {
			return fmt.Sprintf("query %s=%s, not %q", name, s, got[name])
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			return "no query " + name
		}
	}
	return ""
}

func fits(want, got string) bool {
	pattern, ok := strings.CutPrefix(want, "~")
	if !ok {
		return want == got
	}
	return regexp.MustCompile(pattern).MatchString(got)
}

// fitsValue compares values of JSON.
func fitsValue(want, got any) bool {
	switch want := want.(type) {
	case map[string]any:
		other, ok := got.(map[string]any)
		if !ok || len(other) != len(want) {
			return false
		}
		for key, v := range want {
			if member, has := other[key]; !has || !fitsValue(v, member) {
				return false
			}
		}
		return true
	case []any:
		other, ok := got.([]any)
		if !ok || len(other) != len(want) {
			return false
		}
		for i, v := range want {
			if !fitsValue(v, other[i]) {
				return false
			}
		}
		return true
	case string:
		if n, ok := got.(float64); ok && strings.HasPrefix(want, "~") {
			got = strconv.FormatFloat(n, 'f', -1, 64)
		}
		s, ok := got.(string)
		return ok && fits(want, s)
	}
	return reflect.DeepEqual(want, got)
}
