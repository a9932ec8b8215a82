package deliver

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/deliver/notify"
	"github.com/millrace/millrace/internal/egress"
)

// smtpServer speaks SMTP to one client after the other and keeps what it was sent.
type smtpServer struct {
	tls      *tls.Config
	noTLS    bool              // STARTTLS is not offered
	implicit bool              // TLS from the first byte
	replies  map[string]string // to a verb, instead of the usual one
	hangUp   string            // the verb at which the connection is cut

	mu    sync.Mutex
	lines []string // commands and data, as they came
}

func (s *smtpServer) serve(t *testing.T) (host string, port int) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { s.talk(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	addr, _ := l.Addr().(*net.TCPAddr)
	return "127.0.0.1", addr.Port
}

func (s *smtpServer) talk(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	secure := s.implicit
	if secure {
		conn = tls.Server(conn, s.tls)
	}
	in := bufio.NewReader(conn)
	say := func(line string) { _, _ = fmt.Fprintf(conn, "%s\r\n", line) }
	say("220 mail.test ESMTP")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		s.note(line)
		verb, rest, _ := strings.Cut(line, " ")
		verb = strings.ToUpper(verb)
		if verb == s.hangUp {
			return
		}
		if reply := s.replies[verb]; reply != "" {
			say(reply)
			continue
		}
		switch verb {
		case "EHLO":
			say("250-mail.test")
			if !secure && !s.noTLS {
				say("250-STARTTLS")
			}
			say("250 AUTH PLAIN")
		case "STARTTLS":
			say("220 go on")
			conn, secure = tls.Server(conn, s.tls), true
			in = bufio.NewReader(conn)
		case "AUTH":
			_, token, _ := strings.Cut(rest, " ")
			if raw, _ := base64.StdEncoding.DecodeString(token); string(raw) != "\x00user\x00right" {
				say("535 5.7.8 Authentication failed")
				continue
			}
			say("235 in")
		case "DATA":
			say("354 go on")
			for {
				data, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if s.note(strings.TrimRight(data, "\r\n")); data == ".\r\n" {
					break
				}
			}
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (s *smtpServer) note(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, line)
}

func (s *smtpServer) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.lines, "\n")
}

func TestMails(t *testing.T) {
	t.Parallel()
	certified := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(certified.Close)
	trusted := x509.NewCertPool()
	trusted.AddCert(certified.Certificate())
	for name, c := range map[string]struct {
		server *smtpServer
		mode   notify.TLSMode
		change func(*notify.Mailer)
		want   Outcome // Kind, Status, ErrorClass
		secret bool    // the password may have been sent
	}{
		"STARTTLS":                    {&smtpServer{}, notify.TLSStart, nil, Outcome{Kind: Delivered, Status: 250}, true},
		"TLS from the first byte":     {&smtpServer{implicit: true}, notify.TLSImplicit, nil, Outcome{Kind: Delivered, Status: 250}, true},
		"no TLS, no password":         {&smtpServer{noTLS: true}, notify.TLSNone, func(m *notify.Mailer) { m.User = "" }, Outcome{Kind: Delivered, Status: 250}, false},
		"STARTTLS is not offered":     {&smtpServer{noTLS: true}, notify.TLSStart, nil, Outcome{Kind: Retry, ErrorClass: ClassMail}, false},
		"STARTTLS is rejected":        {&smtpServer{replies: map[string]string{"STARTTLS": "454 not now"}}, notify.TLSStart, nil, Outcome{Kind: Retry, ErrorClass: ClassMail}, false},
		"a certificate of a stranger": {&smtpServer{}, notify.TLSStart, func(m *notify.Mailer) { m.Roots = x509.NewCertPool() }, Outcome{Kind: Retry, ErrorClass: egress.ClassTLS}, false},
		"a wrong password":            {&smtpServer{}, notify.TLSStart, func(m *notify.Mailer) { m.Password = "wrong" }, Outcome{Kind: Retry, ErrorClass: ClassMail}, true},
		"later":                       {&smtpServer{replies: map[string]string{"RCPT": "451 4.3.0 Try again later"}}, notify.TLSStart, nil, Outcome{Kind: Retry, Status: 451, ErrorClass: ClassMail}, true},
		"never":                       {&smtpServer{replies: map[string]string{"RCPT": "550 5.1.1 No such user"}}, notify.TLSStart, nil, Outcome{Kind: Retry, Status: 550, ErrorClass: ClassMail}, true},
		"a sender that is not wanted": {&smtpServer{replies: map[string]string{"MAIL": "553 5.1.8 Not from you"}}, notify.TLSStart, nil, Outcome{Kind: Retry, Status: 553, ErrorClass: ClassMail}, true},
		"it hangs up":                 {&smtpServer{hangUp: "MAIL"}, notify.TLSStart, nil, Outcome{Kind: Retry, ErrorClass: ClassMail}, true},
		"nothing listens":             {&smtpServer{}, notify.TLSStart, func(m *notify.Mailer) { m.Port = 1 }, Outcome{Kind: Retry, ErrorClass: egress.ClassRefused}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := c.server
			server.tls = &tls.Config{Certificates: certified.TLS.Certificates, MinVersion: tls.VersionTLS12}
			mailer := &notify.Mailer{User: "user", Password: "right", From: "millrace@example.com", TLS: c.mode, Roots: trusted, Dial: (&net.Dialer{}).DialContext}
			mailer.Host, mailer.Port = server.serve(t)
			if c.change != nil {
				c.change(mailer)
			}
			s := newSender(t, Config{Mailer: mailer})
			w := &millrace.Webhook{ID: "w1", EnvironmentID: testEnv, Notification: millrace.NotifyEmail, Config: []byte(
				`{"to":["a@example.com"],"cc":["c@example.com"],"bcc":["b@example.com"],"subject_prefix":"[On call]"}`)}
			o := s.Test(t.Context(), w, &millrace.Event{ID: "e1", EnvironmentID: testEnv, Name: millrace.EventCronFailed, CreatedAt: millrace.Time(1_700_000_000_000_000), Payload: []byte(
				`{"id":"s1","sync_job_id":"j1","error":"gone\r\nBcc: x@evil.test"}`)})
			if o.Kind != c.want.Kind || o.Status != c.want.Status || o.ErrorClass != c.want.ErrorClass {
				t.Errorf("got %s %d %q %q, want %s %d %q", o.Kind, o.Status, o.ErrorClass, o.Response, c.want.Kind, c.want.Status, c.want.ErrorClass)
			}
			said := server.said()
			if strings.Contains(said, "AUTH") && !c.secret {
				t.Errorf("a password was sent:\n%s", said)
			}
			if strings.Contains(o.Response, "right") || strings.Contains(o.Response, base64.StdEncoding.EncodeToString([]byte("\x00user\x00right"))) {
				t.Errorf("the password is in the outcome: %s", o.Response)
			}
			if c.want.Kind == Delivered {
				checkMail(t, said)
			}
		})
	}
}

func checkMail(t *testing.T, said string) {
	t.Helper()
	for _, want := range []string{
		"RCPT TO:<a@example.com>", "RCPT TO:<c@example.com>", "RCPT TO:<b@example.com>", "Subject: [On call] A schedule could not start a run",
		"Why: gone Bcc: x@evil.test", "Content-Type: text/plain",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in:\n%s", want, said)
		}
	}
	if strings.Contains(said, "\nBcc:") || strings.Count(said, "b@example.com") != 1 {
		t.Errorf("blind copies are shown:\n%s", said)
	}
}

func TestMailersThatCannotBe(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]notify.Mailer{
		"no host":                {Port: 25, From: "a@example.com", TLS: notify.TLSStart},
		"no port":                {Host: "mail.test", From: "a@example.com", TLS: notify.TLSStart},
		"no sender":              {Host: "mail.test", Port: 25, TLS: notify.TLSStart},
		"a password in the open": {Host: "mail.test", Port: 25, From: "a@example.com", User: "u", Password: "p", TLS: notify.TLSNone},
	} {
		if _, err := New(Config{Client: &http.Client{Transport: http.DefaultTransport}, Clock: newSender(t, Config{}).clock, Mailer: &m}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
