package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"time"

	"github.com/millrace/millrace/client"
)

// proxyCalls measures calls of the proxy API, each of which leaves a row in the log of calls, beside a bare reverse proxy.
func proxyCalls(ctx context.Context, o options, database string) error {
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"id":1,"name":"Acme"}`))
	}))
	defer provider.Close()
	target, err := url.Parse(provider.URL)
	if err != nil {
		return err
	}
	bare := httputil.NewSingleHostReverseProxy(target)
	bare.Transport = &http.Transport{MaxIdleConnsPerHost: callers}
	between := httptest.NewServer(bare)
	defer between.Close()
	n := o.count(20_000)
	reached := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}}
	took, _, err := callAll(ctx, &client.Client{Base: between.URL, HTTP: reached}, "/contacts/1", n)
	if err != nil {
		return err
	}
	floor := rate("floor: a bare reverse proxy, 64 callers", database, n, took, 0)
	calls, err := newProxied(ctx, o, database, provider.URL)
	if err != nil {
		return err
	}
	defer func() { _ = calls.server.Stop(ctx) }()
	took, latencies, err := callAll(ctx, &calls.Client, "/proxy/contacts/1?integrated_account_id="+calls.account, n)
	if err != nil {
		return err
	}
	rate("calls of the proxy API, 64 callers, logged", database, n, took, floor)
	return percentiles("call of the proxy API, request to response", database, latencies)
}

type proxied struct {
	*api
	account string
}

func newProxied(ctx context.Context, o options, database, provider string) (*proxied, error) {
	a, err := newAPI(ctx, o, database, "proxy")
	if err != nil {
		return nil, err
	}
	a.HTTP.Transport = &http.Transport{MaxIdleConnsPerHost: callers}
	p := &proxied{api: a}
	var integration, install, account made
	config := map[string]any{"base_url": provider, "resources": map[string]any{"contacts": map[string]any{"get": map[string]any{"path": "/contacts/{{id}}"}}}}
	for _, step := range []struct {
		path string
		in   func() any
		out  *made
	}{
		{"/integration", func() any { return map[string]any{"name": "crm", "category": "crm", "config": config} }, &integration},
		{"/environment-integration", func() any { return map[string]any{"integration_id": integration.ID} }, &install},
		{"/integrated-account", func() any {
			return map[string]any{"tenant_id": "acme", "environment_integration_id": install.ID, "authentication_method": "api_key", "context": map[string]any{"api_key": "key"}}
		}, &account},
	} {
		if err := p.Post(ctx, step.path, step.in(), step.out); err != nil {
			return nil, err
		}
	}
	p.account = account.ID
	return p, nil
}

// callAll makes n calls, 64 at a time, and returns how long all took, and each.
func callAll(ctx context.Context, c *client.Client, path string, n int) (time.Duration, []time.Duration, error) {
	began := time.Now()
	latencies, err := timed(n, func(int) error {
		resp, err := c.Do(ctx, &client.Request{Method: http.MethodGet, Path: path})
		if err == nil && resp.Status != http.StatusOK {
			err = fmt.Errorf("%s responded %d", path, resp.Status)
		}
		return err
	})
	return time.Since(began), latencies, err
}
