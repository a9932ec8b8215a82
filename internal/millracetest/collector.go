package millracetest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/millracetest/provider"
)

// Collector is a webhook endpoint. It trusts nothing: it verifies both signatures of every request by its own copy of
// the rules and records what arrives, in order, however it responds. One collector serves many webhooks, each at a path of
// its own: /<name>.
type Collector struct {
	mu       sync.Mutex
	secrets  map[string]string
	scripts  map[string][]*Response
	received []Received
	bytes    map[string][sha256.Size]byte // by webhook and delivery
	problems []string
	begun    map[string]int // sync job runs, by webhook
	ended    map[string]int
}

// Received is one request to a collector.
type Received struct {
	Webhook   string // the name in the path
	ID        string // of the delivery: webhook-id
	Event     string
	Status    int  // of the response
	Repeated  bool // not the first request with this id
	Body      []byte
	Envelope  Envelope
	Requested time.Time
}

// Envelope is the body of a delivery.
type Envelope struct {
	ID        string          `json:"id"`
	Event     string          `json:"event"`
	Payload   json.RawMessage `json:"payload"`
	WebhookID string          `json:"webhook_id"`
	CreatedAt string          `json:"created_at"`
}

// Response is a line of a collector's script: the first line that fits a request decides its response. Without a script, and
// when no line fits, the response is 200.
type Response struct {
	Event      string `json:"event"`  // empty: any
	Status     int    `json:"status"` // 0: none, the connection is cut
	Slow       bool   `json:"slow"`   // take some time before responding
	RetryAfter string `json:"retry_after"`
	Skip       int    `json:"skip"`  // let so many pass first
	Times      int    `json:"times"` // how often; 0: until the script is replaced
}

// NewCollector returns a collector that responds with 200.
func NewCollector() *Collector {
	return &Collector{
		secrets: map[string]string{}, scripts: map[string][]*Response{}, bytes: map[string][sha256.Size]byte{},
		begun: map[string]int{}, ended: map[string]int{},
	}
}

// SetSecret tells the key of a webhook's signatures.
func (c *Collector) SetSecret(name, secret string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.secrets[name] = secret
}

// SetScript replaces a webhook's script.
func (c *Collector) SetScript(name string, script []*Response) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.scripts[name] = script
}

// Names returns the names of the webhooks, in order.
func (c *Collector) Names() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.secrets))
}

// ServeHTTP implements http.Handler.
func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.Trim(r.URL.Path, "/")
	body, err := io.ReadAll(io.LimitReader(r.Body, 16<<20))
	if err != nil {
		return // the sender was killed, or gave up; there was no request
	}
	a := c.take(name, r.Header, body, nil)
	if a.Slow {
		time.Sleep(provider.Slowness)
	}
	if a.Status == 0 {
		panic(http.ErrAbortHandler)
	}
	if a.RetryAfter != "" {
		w.Header().Set("Retry-After", a.RetryAfter)
	}
	w.WriteHeader(a.Status)
}

// take notes a request and returns the response, which is that of the script when none is given.
func (c *Collector) take(name string, h http.Header, body []byte, given *Response) Response {
	c.mu.Lock()
	defer c.mu.Unlock()
	got := Received{Webhook: name, ID: h.Get("webhook-id"), Body: body, Requested: time.Now()}
	if err := json.Unmarshal(body, &got.Envelope); err != nil {
		c.problem("the body of %s is not JSON: %v", got.ID, err)
	}
	got.Event = got.Envelope.Event
	c.verify(name, h, body)
	sum := sha256.Sum256(body)
	key := name + " " + got.ID
	if before, ok := c.bytes[key]; ok {
		got.Repeated = true
		if before != sum {
			c.problem("the delivery %s to %s came again with other bytes", got.ID, name)
		}
	}
	c.bytes[key] = sum
	if !got.Repeated {
		c.count(name, got.Event)
	}
	var a Response
	if given != nil {
		a = *given
	} else {
		a = c.decide(name, got.Event)
	}
	got.Status = a.Status
	c.received = append(c.received, got)
	return a
}

func (c *Collector) count(name, event string) {
	switch event {
	case millrace.EventRunStarted:
		c.begun[name]++
	case millrace.EventRunCompleted, millrace.EventRunFailed:
		c.ended[name]++
	}
}

func (c *Collector) decide(name, event string) Response {
	for _, a := range c.scripts[name] {
		if a.Event != "" && a.Event != event || a.Times < 0 {
			continue
		}
		if a.Skip > 0 {
			a.Skip--
			continue
		}
		if a.Times > 0 {
			if a.Times--; a.Times == 0 {
				a.Times = -1
			}
		}
		return *a
	}
	return Response{Status: http.StatusOK}
}

// verify checks the compatible signature and that of Standard Webhooks.
func (c *Collector) verify(name string, h http.Header, body []byte) {
	secret, ok := c.secrets[name]
	if !ok {
		c.problem("a delivery to %q, which is no webhook", name)
		return
	}
	sign := func(text string) string {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(text))
		return base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	id, at := h.Get("webhook-id"), h.Get("webhook-timestamp")
	if want := "format=sha256,v=" + sign(string(body)); h.Get("X-Truto-Signature") != want {
		c.problem("X-Truto-Signature of %s is %q, want %q", id, h.Get("X-Truto-Signature"), want)
	}
	want := "v1," + sign(id+"."+at+"."+string(body))
	if !slices.Contains(strings.Fields(h.Get("webhook-signature")), want) {
		c.problem("webhook-signature of %s is %q, want %q", id, h.Get("webhook-signature"), want)
	}
	if id == "" || at == "" {
		c.problem("a delivery without webhook-id or webhook-timestamp")
	}
}

func (c *Collector) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

// Received returns the requests for some webhooks, in order.
func (c *Collector) Received(names ...string) []Received {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Received
	for _, r := range c.received {
		if slices.Contains(names, r.Webhook) {
			out = append(out, r)
		}
	}
	return out
}

// First returns the requests for a webhook without those that repeat a delivery.
func (c *Collector) First(name string) []Received {
	return slices.DeleteFunc(c.Received(name), func(r Received) bool { return r.Repeated })
}

// Total returns the number of requests to all webhooks, and how many of them repeat a delivery.
func (c *Collector) Total() (int, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	repeated := 0
	for _, r := range c.received {
		if r.Repeated {
			repeated++
		}
	}
	return len(c.received), repeated
}

// Problems returns what was wrong with requests: signatures, and repetitions that are not.
func (c *Collector) Problems() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.problems)
}

// Runs returns how many sync job runs have begun and ended at a webhook.
func (c *Collector) Runs(name string) (int, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.begun[name], c.ended[name]
}
