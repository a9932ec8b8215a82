package main

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/millrace/millrace/client"
)

// clientFlags say which server a command talks to.
type clientFlags struct {
	Server string `help:"Address of the server." env:"MILLRACE_SERVER,MILLRACE_ADDR" default:"http://127.0.0.1:8080" placeholder:"URL"`
	Token  string `help:"API token; its environment is the one that is worked on." placeholder:"TOKEN"`

	TokenFile string `help:"File with that token." secretof:"token" placeholder:"FILE"`
}

func (f *clientFlags) client() (*client.Client, error) {
	if f.Token == "" {
		return nil, errors.New("an API token is required: --token, --token-file, or MILLRACE_TOKEN in the environment; millrace token create makes one")
	}
	base := strings.TrimRight(f.Server, "/")
	if !strings.Contains(base, "://") { // an address to listen on
		host, port, err := net.SplitHostPort(base)
		if err != nil {
			return nil, fmt.Errorf("--server %s: not a URL", f.Server)
		}
		if host == "" {
			host = "127.0.0.1"
		}
		base = "http://" + net.JoinHostPort(host, port)
	}
	return &client.Client{Base: base, Token: f.Token}, nil
}
