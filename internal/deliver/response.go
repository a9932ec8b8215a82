package deliver

import (
	"context"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/millrace/millrace"
)

const (
	maxResponse    = 16 << 10        // what is kept of a body
	maxDrain       = 64 << 10        // what is read and thrown away, to keep the connection
	bodyWindow     = 2 * time.Second // how long a body may take once the status is known
	maxHeaderValue = 1 << 10
	maxHeaderTotal = 8 << 10
	maxRetryAfter  = 24 * time.Hour
)

// read turns a response into an outcome. The status alone decides; a body that never ends, breaks off or is too long
// changes nothing. cancel ends the attempt's context.
func (s *Sender) read(resp *http.Response, event string, cancel context.CancelFunc) Outcome {
	defer func() { _ = resp.Body.Close() }() // nothing can be lost by it: the response was read as far as it counts
	o := judge(resp.StatusCode, event)
	o.Header = limitHeader(resp.Header)
	if o.Kind != Delivered {
		o.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), s.clock())
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return o // its body is the connection
	}
	timer := time.AfterFunc(bodyWindow, cancel)
	defer timer.Stop()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxResponse))
	if resp.Header.Get("Content-Encoding") == "" {
		o.Response = text(body)
	}
	_, _ = io.CopyN(io.Discard, resp.Body, maxDrain)
	return o
}

func judge(status int, event string) Outcome {
	o := Outcome{Kind: Retry, Status: status}
	switch {
	case status >= 200 && status <= 299:
		o.Kind = Delivered
	case status == http.StatusGone:
		o.Kind = Gone
	case status == http.StatusBadRequest && event == millrace.EventRunStarted:
		o.Kind = Cancel
	case status == http.StatusRequestEntityTooLarge:
		o.ErrorClass = ClassTooLarge
	case status >= 300 && status <= 399:
		o.ErrorClass = ClassRedirect
	}
	return o
}

// limitHeader copies what fits of a response's header. Cookies are left out: they may give access to everyone who reads them.
func limitHeader(h http.Header) http.Header {
	limited, total := http.Header{}, 0
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if name == "Set-Cookie" {
			continue
		}
		for _, value := range h[name] {
			value = text([]byte(value[:min(len(value), maxHeaderValue)]))
			if total += len(name) + len(value); total > maxHeaderTotal {
				return limited
			}
			limited[name] = append(limited[name], value)
		}
	}
	return limited
}

// text makes bytes from outside storable: valid UTF-8, without NUL (which PostgreSQL rejects), no longer than before
// the limit even where one byte became three.
func text(b []byte) string {
	s := strings.ToValidUTF8(string(b), "\uFFFD")
	s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	if len(s) <= maxResponse {
		return s
	}
	end := maxResponse
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// retryAfter reads a Retry-After header, seconds or an HTTP date. What it cannot read, and what lies in the past, is 0.
func retryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if value == "" {
		return 0
	}
	if strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil || seconds > int64(maxRetryAfter/time.Second) { // too many digits are a long time, too
			return maxRetryAfter
		}
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}
