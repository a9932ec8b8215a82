package scenario

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/document"
	"github.com/millrace/millrace/internal/millracetest"
)

// step is one thing that happens. Exactly one member says which.
type step struct {
	line      int
	connect   json.RawMessage // POST /integrated-account, with "integration" instead of the installation's id
	reconnect string          // PATCH /integrated-account/{id}/credentials
	request   *request        // anything else
	hook      *inboundHook    // a provider tells something, without an API token
	respond   *responder      // changes how a webhook responds
	until     *list           // waits
	settle    bool            // waits until nothing is left to do

	environment string // where; empty: the first one
}

type request struct {
	method, path string
	body         json.RawMessage
	status       int // of the response; 0: any success
	want         any // what the response must have
}

type inboundHook struct {
	Method   string            `json:"method"` // POST when empty
	Path     string            `json:"path"`
	Headers  map[string]string `json:"headers"`
	Body     string            `json:"body"`
	Status   int               `json:"status"`
	Response string            `json:"response"` // what the response must contain
}

type responder struct {
	webhook   string
	responses []*millracetest.Response
}

// list is what a list of the API must hold.
type list struct {
	path        string
	environment string
	want        []any // each element matches one of the list, in any order, and there are no others
}

// expectation is what must be seen in the end.
type expectation struct {
	lists      []list
	decisions  []any            // about all events of the first environment, in any order
	deliveries map[string][]any // by webhook, or webhook and the beginning of the events' names, in order
	never      []any            // deliveries that must not have happened
	pages      []string         // what the provider was asked for, in order; nil: not checked
}

// script is what happens and what must be seen then.
type script struct {
	steps []step
	want  expectation
	began bool // the expectations have
}

// parse reads the statements of a script strictly: a typing error in a scenario must not make it check less.
func parse(lines []line) (*script, error) {
	s := &script{want: expectation{deliveries: map[string][]any{}}}
	for _, l := range lines {
		if err := s.statement(l); err != nil {
			return nil, fmt.Errorf("line %d, %q: %w", l.number, firstLine(l.text), err)
		}
	}
	return s, nil
}

func firstLine(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	return text
}

// word cuts the first word off a text.
func word(text string) (string, string) {
	text = strings.TrimLeft(text, " \n")
	if i := strings.IndexAny(text, " \n"); i >= 0 {
		return text[:i], text[i:]
	}
	return text, ""
}

func (s *script) statement(l line) error {
	verb, rest := word(l.text)
	environment := ""
	if verb == "in" {
		environment, rest = word(rest)
		verb, rest = word(rest)
	}
	if is, err := s.expect(verb, rest, environment); is {
		s.began = true
		return err
	}
	if s.began {
		return errors.New("a step behind an expectation: expectations come last")
	}
	st, err := readStep(verb, rest, environment)
	if err != nil {
		return err
	}
	st.line, st.environment = l.number, environment
	s.steps = append(s.steps, *st)
	return nil
}

func readStep(verb, rest, environment string) (*step, error) {
	first, behind := word(rest)
	switch verb {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		r, err := readRequest(verb, first, behind)
		return &step{request: r}, err
	case "connect":
		body, err := readJSON(rest)
		return &step{connect: body}, err
	case "reconnect":
		return &step{reconnect: first}, nothing(behind)
	case "event":
		payload, err := readJSON(behind)
		name, _ := json.Marshal(first)
		return &step{request: &request{method: http.MethodPost, path: "/event", body: slices.Concat([]byte(`{"event":`), name, []byte(`,"payload":`), payload, []byte("}"))}}, err
	case "run":
		body, err := readJSON(rest)
		return &step{request: &request{method: http.MethodPost, path: "/sync-job-run", body: body}}, err
	case "hook":
		st := &step{hook: &inboundHook{}}
		return st, read(rest, st.hook)
	case "respond":
		st := &step{respond: &responder{webhook: first}}
		return st, read(behind, &st.respond.responses)
	case "until":
		st := &step{until: &list{path: first, environment: environment}}
		return st, read(behind, &st.until.want)
	case "settle":
		return &step{settle: true}, nothing(rest)
	}
	return nil, fmt.Errorf("there is no statement %q", verb)
}

func nothing(rest string) error {
	if strings.TrimSpace(rest) != "" {
		return fmt.Errorf("nothing may follow, got %q", rest)
	}
	return nil
}

// readRequest reads a body, if there is one, and behind "=>" the status, an element that the response must have, or both.
func readRequest(method, path, rest string) (*request, error) {
	r := &request{method: method, path: path}
	body, response, _ := strings.Cut(rest, "=> ")
	if strings.TrimSpace(body) != "" {
		var err error
		if r.body, err = readJSON(body); err != nil {
			return nil, err
		}
	}
	status, tail := word(response)
	n, err := strconv.Atoi(status)
	if err == nil {
		r.status, response = n, tail
	}
	if strings.TrimSpace(response) != "" {
		return r, read(response, &r.want)
	}
	return r, nil
}

// expect reads an expectation and reports whether it is one.
func (s *script) expect(verb, rest, environment string) (bool, error) {
	switch verb {
	case "list":
		path, behind := word(rest)
		l := list{path: path, environment: environment}
		err := read(behind, &l.want)
		s.want.lists = append(s.want.lists, l)
		return true, err
	case "decisions":
		if s.want.decisions != nil {
			return true, errors.New("decisions are given twice")
		}
		return true, read(rest, &s.want.decisions)
	case "deliveries":
		key, behind := rest, ""
		if i := strings.IndexAny(rest, "[\n"); i >= 0 {
			key, behind = rest[:i], rest[i:]
		}
		key = strings.TrimSpace(key)
		if s.want.deliveries[key] != nil {
			return true, fmt.Errorf("deliveries to %s are given twice", key)
		}
		want, err := readDeliveries(behind)
		s.want.deliveries[key] = want
		return true, err
	case "never":
		never, err := readDeliveries(rest)
		s.want.never = append(s.want.never, never...)
		return true, err
	case "pages":
		if s.want.pages != nil {
			return true, errors.New("pages are given twice")
		}
		return true, read(rest, &s.want.pages)
	}
	return false, nil
}

// readDeliveries reads a list of deliveries. One that is a text is that of an event.
func readDeliveries(text string) ([]any, error) {
	var out []any
	if err := read(text, &out); err != nil {
		return nil, err
	}
	for i, d := range out {
		if event, ok := d.(string); ok {
			out[i] = map[string]any{"event": event}
		}
	}
	return out, nil
}

// readJSON reads YAML, on one line or on several, and returns it as JSON.
func readJSON(text string) (json.RawMessage, error) {
	v, err := document.ParseYAML([]byte(text), maxSize)
	if err != nil {
		return nil, err
	}
	return v.JSON(), nil
}

// read decodes YAML strictly. An empty list is written as one.
func read(text string, into any) error {
	body, err := readJSON(text)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	return d.Decode(into)
}
