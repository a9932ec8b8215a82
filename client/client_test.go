package client_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/client"
)

func serve(t *testing.T, h http.HandlerFunc) *client.Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return &client.Client{Base: s.URL, Token: "t0k3n"}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, `{"saw":%q}`, r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("Authorization")+" "+r.Header.Get("Content-Type")+" "+string(body))
	})
	type echo struct{ Saw string }
	ctx := t.Context()
	for want, call := range map[string]func(out any) error{
		"GET /x?a=1 Bearer t0k3n  ":                         func(out any) error { return c.Get(ctx, "/x?a=1", out) },
		`POST /x Bearer t0k3n application/json {"a":1}`:     func(out any) error { return c.Post(ctx, "/x", map[string]int{"a": 1}, out) },
		`PATCH /x Bearer t0k3n application/json {"a":null}`: func(out any) error { return c.Patch(ctx, "/x", map[string]any{"a": nil}, out) },
		"DELETE /x Bearer t0k3n  ":                          func(out any) error { return c.Delete(ctx, "/x", out) },
		"PUT /x Bearer t0k3n application/yaml a: 1": func(out any) error {
			return c.Send(ctx, &client.Request{Method: http.MethodPut, Path: "/x", Body: []byte("a: 1"), Header: http.Header{"Content-Type": {"application/yaml"}}}, out)
		},
	} {
		var got echo
		if err := call(&got); err != nil || got.Saw != want {
			t.Errorf("got %q, %v; want %q", got.Saw, err, want)
		}
		if err := call(nil); err != nil {
			t.Errorf("without a place for the response: %v", err)
		}
	}
}

func TestErrorsCarryEverythingThatTheServerSays(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, body, text string
		want             client.Error
	}{
		{
			"findings", `{"message":"x","details":{"failures":[{"path":"config.a","message":"is wrong","suggestion":"b","code":"not_found"},` +
				`{"message":"is no JSON","line":2,"column":3}]}}`,
			"POST /x: 400 Bad Request\n  config.a: is wrong; did you mean \"b\"?\n  is no JSON (line 2, column 3)",
			client.Error{Message: "x", Failures: []millrace.Failure{
				{Path: "config.a", Message: "is wrong", Suggestion: "b", Code: "not_found"}, {Message: "is no JSON", Line: 2, Column: 3},
			}},
		},
		{
			"message only", `{"message":"there is none","request_id":"r"}`, "POST /x: 400 Bad Request: there is none",
			client.Error{Message: "there is none", RequestID: "r"},
		},
		{"another server", `<html>`, "POST /x: 400 Bad Request", client.Error{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(http.StatusBadRequest)
				_, _ = io.WriteString(w, tc.body)
			})
			err := c.Post(t.Context(), "/x?secret=1", struct{}{}, nil)
			got, ok := errors.AsType[*client.Error](err)
			if !ok {
				t.Fatalf("got %v, want an *Error", err)
			}
			want := tc.want
			want.Method, want.Path, want.Status, want.RetryAfter, want.Body = http.MethodPost, "/x", http.StatusBadRequest, 7*time.Second, []byte(tc.body)
			if diff := cmp.Diff(want, *got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if err.Error() != tc.text {
				t.Errorf("got %q, want %q", err, tc.text)
			}
		})
	}
}

// What is no whole response of a server is another kind of error.
func TestOtherErrors(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]http.HandlerFunc{
		"cut": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"half": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			_, _ = io.WriteString(w, `{"a"`)
		},
		"no JSON": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out any
			err := serve(t, h).Get(t.Context(), "/x", &out)
			if _, is := errors.AsType[*client.Error](err); err == nil || is {
				t.Errorf("got %v, want an error that is no *Error", err)
			}
		})
	}
}

func TestAll(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Query().Get("kind") != "a b":
			w.WriteHeader(http.StatusBadRequest)
		case r.URL.Query().Get("next_cursor") == "":
			_, _ = io.WriteString(w, `{"result":[{"n":1},{"n":2}],"next_cursor":"c+/="}`)
		case r.URL.Query().Get("next_cursor") == "c+/=":
			_, _ = io.WriteString(w, `{"result":[{"n":3}],"next_cursor":null}`)
		}
	})
	type row struct{ N int }
	var got []int
	for r, err := range client.All[row](t.Context(), c, "/x?kind=a+b") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r.N)
	}
	if diff := cmp.Diff([]int{1, 2, 3}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, err := range client.All[row](t.Context(), c, "/x") {
		if e, ok := errors.AsType[*client.Error](err); !ok || e.Status != http.StatusBadRequest {
			t.Errorf("got %v, want the response's error", err)
		}
	}
}
