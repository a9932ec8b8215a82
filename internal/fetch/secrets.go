package fetch

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/wire"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/jsonata"
)

// Secrets are those of an account under a config: what texts about its requests must not show. They are immutable: a
// caller that makes many requests for an account finds them once.
type Secrets struct {
	text *secret.Scrubber
	data *secret.Scrubber
	hint [][]byte // data with a secret has one of these in it, however JSON escapes it
}

// NewSecrets returns the secrets with the given texts, as [Config.Secrets] finds them.
func NewSecrets(values []string) *Secrets {
	s := &Secrets{text: secret.NewScrubber(values, secret.MinText), data: secret.NewScrubber(values, secret.MinData)}
	for _, v := range values {
		if len(v) >= secret.MinData {
			s.hint = append(s.hint, hintOf(v))
		}
	}
	return s
}

// HideIn returns a value without the secrets.
func (s *Secrets) HideIn(v expr.Value) expr.Value { return hideIn(s.text, v) }

// Say makes a message of at most n bytes of a text: without the secrets, and on one line.
func (s *Secrets) Say(text string, n int) string { return clip(s.text.ScrubPrefix(text, 4*n), n) }

// hintOf returns the longest part of a secret that no encoder of JSON escapes.
func hintOf(text string) []byte {
	longest := ""
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return r < ' ' || r > '~' || strings.ContainsRune(`"/\<>&'+`, r) }) {
		if len(part) > len(longest) {
			longest = part
		}
	}
	return []byte(longest)
}

// mayShow reports whether a response may contain a secret in clear or as JSON writes it. Every page pays for it.
func (s *Secrets) mayShow(raw []byte) bool {
	return slices.ContainsFunc(s.hint, func(hint []byte) bool { return bytes.Contains(raw, hint) })
}

// secrets are those of one request: those of the account, and credentials that were computed for it.
type secrets struct {
	account *Secrets
	own     []string
	extra   *secret.Scrubber // of own; nil: not made yet
}

// add makes a text a secret of the request, unless it only carries one that is known.
func (s *secrets) add(text string) {
	if len(text) >= secret.MinText && !s.account.text.Hides(text) {
		s.own, s.extra = append(s.own, text), nil
	}
}

func (s *secrets) more() *secret.Scrubber {
	if s.extra == nil && len(s.own) > 0 {
		s.extra = secret.NewScrubber(s.own, secret.MinText)
	}
	return s.extra
}

// Scrub replaces the secrets in a text.
func (s *secrets) Scrub(text string) string { return s.more().Scrub(s.account.text.Scrub(text)) }

// hides reports whether a text contains a secret.
func (s *secrets) hides(text string) bool {
	return s.account.text.Hides(text) || s.more().Hides(text)
}

// say makes a message of a text: free of secrets first, then short, so that none stands cut off at the end.
func (s *secrets) say(text string, n int) string {
	return clip(s.prefix(text, 4*n), n)
}

// prefix returns the first n bytes of a text without secrets.
func (s *secrets) prefix(text string, n int) string {
	if s.more() == nil {
		return s.account.text.ScrubPrefix(text, n)
	}
	// Of two passes only the last may cut, and what it sees must reach as far as the first one looks.
	return s.more().ScrubPrefix(s.account.text.Scrub(text[:min(len(text), n+maxReach)]), n)
}

// maxReach is how far behind a cut secrets are looked for.
const maxReach = 1 << 20

func (c *call) findSecrets() {
	account := c.req.Secrets
	if account == nil || len(c.req.EnvironmentVariables) > 0 {
		account = NewSecrets(c.cfg.Secrets(c.req.Context, c.req.EnvironmentVariables))
	}
	c.secrets = &secrets{account: account}
}

// clean removes secrets from an error about a config.
func (c *call) clean(err error) error {
	var e *millrace.Error
	if !errors.As(err, &e) {
		if text := err.Error(); c.secrets.hides(text) {
			return errors.New(c.secrets.Scrub(text))
		}
		return err
	}
	scrubbed := &millrace.Error{Kind: e.Kind, Message: c.secrets.Scrub(e.Message)}
	for _, failure := range e.Failures {
		failure.Message = c.secrets.Scrub(failure.Message)
		scrubbed.Failures = append(scrubbed.Failures, failure)
	}
	return scrubbed
}

// hideEchoes replaces the account's secrets in the data of a provider: in records those in clear, which costs next to nothing; in
// responses of the API those in every encoding.
func (c *call) hideEchoes(o *Outcome) {
	data := c.secrets.account.data
	if data.Empty() || !c.secrets.account.mayShow(o.Body) && (!c.req.Echoes || !data.Hides(string(o.Body))) {
		return
	}
	o.Data, o.Records = hideIn(data, o.Data), nil
	o.Records = wire.RecordsOf(o.Data)
	o.Body = []byte(data.Scrub(string(o.Body)))
	o.Exact = false // a number may have become a text
}

// hideIn replaces secrets in the texts, names and numbers of a value.
func hideIn(s *secret.Scrubber, v expr.Value) expr.Value {
	switch v := v.(type) {
	case string:
		return s.Scrub(v)
	case float64:
		if text := jsonata.FormatNumber(v); s.HidesPlain(text) {
			return s.Scrub(text)
		}
	case *expr.Array:
		items := make([]expr.Value, v.Len())
		for i, item := range v.Items() {
			items[i] = hideIn(s, item)
		}
		return jsonata.NewArray(items...)
	case *expr.Object:
		out := jsonata.NewObject(v.Len())
		for key, member := range v.All() {
			out.Set(s.Scrub(key), hideIn(s, member))
		}
		return out
	case *expr.File:
		hidden := *v
		hidden.Data = []byte(s.Scrub(string(v.Data)))
		return &hidden
	}
	return v
}

// How long a message about a response of a provider may be, in bytes.
const (
	maxMessage    = 500
	mostOfMessage = 4*maxMessage + maxReach // what is looked at of a text that becomes one
)

// clip shortens a text to n bytes, at a boundary of characters, on one line.
func clip(s string, n int) string {
	s = strings.Join(strings.Fields(s[:min(len(s), 4*n)]), " ")
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
