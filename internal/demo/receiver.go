package demo

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// receiver is a webhook endpoint that trusts nothing: it verifies both signatures of every request itself, with its
// own copy of the rules, and checks that what belongs to a run arrives in order.
type receiver struct {
	mu       sync.Mutex
	secret   string
	seen     map[string]bool
	events   []string
	ids      []string // ids of records, in the order of arrival
	problems []string
	truto    int // requests with a valid X-Truto-Signature
	standard int // requests with a valid webhook-signature
	requests int
	ended    string // how the run ended
}

// envelope is what a delivery carries.
type envelope struct {
	ID      string `json:"id"`
	Event   string `json:"event"`
	Payload struct {
		Resource string `json:"resource"`
		Records  []struct {
			ID string `json:"id"`
		} `json:"records"`
	} `json:"payload"`
}

// ServeHTTP implements http.Handler.
func (v *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 8<<20))
	if err != nil {
		http.Error(w, "unreadable", http.StatusBadRequest)
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.requests++
	if v.trutoSignature(body) == r.Header.Get("X-Truto-Signature") {
		v.truto++
	} else {
		v.problem("X-Truto-Signature of request %d is wrong", v.requests)
	}
	if v.hasStandardSignature(r.Header, body) {
		v.standard++
	} else {
		v.problem("webhook-signature of request %d is wrong", v.requests)
	}
	var e envelope
	if err := json.Unmarshal(body, &e); err != nil {
		v.problem("body of request %d is not JSON: %v", v.requests, err)
	}
	v.take(e)
	w.WriteHeader(http.StatusOK)
}

func (v *receiver) trutoSignature(body []byte) string {
	mac := hmac.New(sha256.New, []byte(v.secret))
	mac.Write(body)
	return "format=sha256,v=" + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func (v *receiver) hasStandardSignature(h http.Header, body []byte) bool {
	mac := hmac.New(sha256.New, []byte(v.secret))
	_, _ = fmt.Fprintf(mac, "%s.%s.%s", h.Get("webhook-id"), h.Get("webhook-timestamp"), body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for signature := range strings.FieldsSeq(h.Get("webhook-signature")) {
		if hmac.Equal([]byte(signature), []byte(want)) {
			return true
		}
	}
	return false
}

func (v *receiver) take(e envelope) {
	if v.seen[e.ID] {
		return // delivered again: the id says so
	}
	v.seen[e.ID] = true
	v.events = append(v.events, e.Event)
	switch e.Event {
	case "sync_job_run:record":
		if v.ended != "" {
			v.problem("records after the run ended")
		}
		for _, r := range e.Payload.Records {
			v.ids = append(v.ids, r.ID)
		}
	case "sync_job_run:completed", "sync_job_run:failed":
		v.ended = strings.TrimPrefix(e.Event, "sync_job_run:")
	}
}

func (v *receiver) problem(format string, args ...any) {
	v.problems = append(v.problems, fmt.Sprintf(format, args...))
}

// received is a snapshot of what has arrived.
type received struct {
	requests, truto, standard, pages int
	ids, events, problems            []string
	ended                            string
}

func (v *receiver) snapshot() received {
	v.mu.Lock()
	defer v.mu.Unlock()
	r := received{requests: v.requests, truto: v.truto, standard: v.standard, ended: v.ended}
	r.ids, r.events, r.problems = append(r.ids, v.ids...), append(r.events, v.events...), append(r.problems, v.problems...)
	for _, e := range v.events {
		if e == "sync_job_run:record" {
			r.pages++
		}
	}
	return r
}

func (v *receiver) setSecret(s string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.secret = s
}
