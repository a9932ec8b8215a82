package main

import (
	"net/http"
	"testing"
)

func TestRefusalShowsEveryFinding(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, answer, want string }{
		{
			"findings", `{"message":"x","details":{"failures":[{"path":"config.a","message":"is wrong","suggestion":"b"},` +
				`{"message":"is no JSON","line":2,"column":3}]}}`,
			"POST /x answered 400 Bad Request\n  config.a: is wrong, did you mean b?\n  is no JSON (line 2, column 3)",
		},
		{"message only", `{"message":"there is none"}`, "POST /x answered 400 Bad Request: there is none"},
		{"another server", `<html>`, "POST /x answered 400 Bad Request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := refusal(http.MethodPost, "/x?token=1", http.StatusBadRequest, []byte(tc.answer)).Error(); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestServerAddresses(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"http://a.example/": "http://a.example", "127.0.0.1:8080": "http://127.0.0.1:8080", ":8080": "http://127.0.0.1:8080",
		"localhost": "",
	} {
		got := ""
		if c, err := (&clientFlags{Server: given, Token: "t"}).client(); err == nil {
			got = c.base
		}
		if got != want {
			t.Errorf("got %q for %q, want %q", got, given, want)
		}
	}
}
