package main

import "testing"

func TestServerAddresses(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"http://a.example/": "http://a.example", "127.0.0.1:8080": "http://127.0.0.1:8080", ":8080": "http://127.0.0.1:8080",
		"localhost": "",
	} {
		got := ""
		if c, err := (&clientFlags{Server: given, Token: "t"}).client(); err == nil {
			got = c.Base
		}
		if got != want {
			t.Errorf("got %q for %q, want %q", got, given, want)
		}
	}
}
