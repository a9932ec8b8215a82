package millracetest_test

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/millrace/millrace/internal/millracetest"
	"github.com/millrace/millrace/internal/server"
	"github.com/millrace/millrace/internal/store/storetest"
)

// mailbox keeps the mails that an SMTP server takes.
type mailbox struct {
	mu    sync.Mutex
	mails []string
}

// NewSession implements smtp.Backend.
func (m *mailbox) NewSession(*smtp.Conn) (smtp.Session, error) { return &letter{box: m}, nil }

func (m *mailbox) all() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.mails...)
}

// letter is a mail on its way in.
type letter struct {
	box *mailbox
	to  []string
}

func (l *letter) Mail(from string, _ *smtp.MailOptions) error {
	if from != "millrace@acme.example" {
		return errors.New("unknown sender")
	}
	return nil
}

func (l *letter) Rcpt(to string, _ *smtp.RcptOptions) error {
	l.to = append(l.to, to)
	return nil
}

func (l *letter) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	l.box.mu.Lock()
	defer l.box.mu.Unlock()
	l.box.mails = append(l.box.mails, "To "+strings.Join(l.to, ",")+"\n"+string(raw))
	return err
}

func (l *letter) Reset()        { l.to = nil }
func (l *letter) Logout() error { return nil }

// serveMail starts an SMTP server and returns its port.
func serveMail(t *testing.T, box *mailbox) int {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := smtp.NewServer(box)
	s.Domain = "mail.test"
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		_ = s.Close()
		if err := <-done; err != nil && !errors.Is(err, smtp.ErrServerClosed) {
			t.Errorf("the mail server: %v", err)
		}
	})
	addr, _ := l.Addr().(*net.TCPAddr)
	return addr.Port
}

// channel takes what an incoming webhook of Slack takes.
type channel struct {
	mu    sync.Mutex
	texts []string
}

// ServeHTTP implements http.Handler.
func (c *channel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	if !json.Valid(raw) || r.Header.Get("Content-Type") != "application/json" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.texts = append(c.texts, string(raw))
}

func (c *channel) all() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.texts...)
}

// A webhook stays down until it is set inactive. Those who asked for it hear of it: in Slack, by mail, and over a signed
// webhook; and each destination says so when it is tested.
func TestPeopleHearOfAWebhookThatStaysDown(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		box, slack, hooks := &mailbox{}, &channel{}, millracetest.NewCollector()
		mail := serveMail(t, box)
		s := millracetest.Start(t, url, func(o *server.Options) {
			o.MaxFailure = time.Second
			o.SMTP = &server.SMTP{Host: "127.0.0.1", Port: mail, From: "millrace@acme.example", TLS: "none"}
		})
		at, room := millracetest.Listen(t, hooks), millracetest.Listen(t, slack)
		hooks.SetSecret("ops", "of the operators")
		hooks.SetScript("down", []*millracetest.Response{{Status: 503}})

		var down struct{ ID, Secret string }
		post(t, s.Client, "/webhook", map[string]any{"target_url": at + "/down", "event_types": []string{"custom:x"}}, &down)
		hooks.SetSecret("down", down.Secret)
		destinations := map[string]string{}
		for kind, config := range map[string]map[string]any{
			"slack":   {"webhook_url": room + "/services/T0/B0/hidden"},
			"email":   {"to": []string{"ada@acme.example"}, "subject_prefix": "[acme]"},
			"webhook": {"target_url": at + "/ops", "secret": "of the operators"},
		} {
			var made struct{ ID string }
			post(t, s.Client, "/notification-destination", map[string]any{
				"type": kind, "label": kind, "config": config, "event_types": []string{"webhook:disabled"},
			}, &made)
			destinations[kind] = made.ID
			var tested struct {
				Success bool `json:"success"`
			}
			post(t, s.Client, "/notification-destination/test", map[string]any{"id": made.ID}, &tested)
			if !tested.Success {
				t.Errorf("the test of the %s destination fails", kind)
			}
		}
		tests := len(hooks.Received("ops")) + len(slack.all()) + len(box.all())
		if tests != 3 {
			t.Errorf("%d of three tests arrived", tests)
		}

		for n := range 2 {
			post(t, s.Client, "/event", map[string]any{"event": "custom:x", "payload": map[string]any{"n": n}}, nil)
		}
		millracetest.Wait(t, time.Minute, func() (bool, any) {
			got := []int{len(hooks.Received("ops")), len(slack.all()), len(box.all())}
			return got[0] == 2 && got[1] == 2 && got[2] == 2, got
		})
		told := hooks.Received("ops")[1]
		if told.Event != "webhook:disabled" || !strings.Contains(string(told.Body), down.ID) {
			t.Errorf("the signed webhook got %s", told.Body)
		}
		for kind, text := range map[string]string{"slack": slack.all()[1], "email": box.all()[1]} {
			if !strings.Contains(text, down.ID) || strings.Contains(text, down.Secret) || strings.Contains(text, at+"/down") {
				t.Errorf("%s does not name the webhook, or tells more of it than its host:\n%s", kind, text)
			}
		}
		if m := box.all()[1]; !strings.HasPrefix(m, "To ada@acme.example\n") || !strings.Contains(m, "Subject: [acme] ") {
			t.Errorf("got the mail %s", m)
		}
		for _, id := range destinations {
			var list struct {
				Result []struct {
					Status string `json:"status"`
				} `json:"result"`
			}
			millracetest.Wait(t, time.Minute, func() (bool, any) {
				if err := s.Get(t.Context(), "/webhook-delivery?webhook_id="+id, &list); err != nil {
					t.Fatal(err)
				}
				return len(list.Result) == 1 && list.Result[0].Status == "delivered", list.Result
			})
		}
		for _, p := range hooks.Problems() {
			t.Error(p)
		}
	})
}

// post creates something and fails the test when that fails.
func post(t *testing.T, c *millracetest.Client, path string, body map[string]any, made any) {
	t.Helper()
	if err := c.Post(t.Context(), path, body, made); err != nil {
		t.Fatalf("POST %s: %v", path, err)
	}
}
