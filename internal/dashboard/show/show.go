// Package show is how the pages of the dashboard show values: times, durations, statuses, errors and documents. Whatever comes from outside is
// escaped.
package show

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store/views"
)

// Functions are those of the templates.
func Functions() template.FuncMap {
	return template.FuncMap{
		"time": timeTag, "badge": badge, "json": jsonText, "short": short, "took": Took, "span": between,
		"failure": FailureOf, "number": number, "size": sizeOf,
		"text": func(b []byte) string { return string(b) },
	}
}

// timeTag shows a time as how long ago it was, with the exact time at hand.
func timeTag(now, at millrace.Time) template.HTML {
	if at == 0 {
		return `<span class="none">never</span>`
	}
	exact, since := at.Std().Format("2006-01-02 15:04:05.000 UTC"), now.Std().Sub(at.Std())
	text := ago(since)
	if since.Abs() > far {
		text += at.Std().Format(" (2006-01-02)")
	}
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s">%s</time>`, at, exact, text)) //nolint:gosec // no text from outside
}

// far is how far away a time is whose date says more than the days between.
const far = 30 * 24 * time.Hour

// ago says how long ago something was, or how long until it is.
func ago(d time.Duration) string {
	if d < 0 {
		if d > -time.Second {
			return "now"
		}
		return "in " + Rough(-d)
	}
	if d < time.Second {
		return "now"
	}
	return Rough(d) + " ago"
}

// Rough is a duration with one unit.
func Rough(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < time.Minute:
		return strconv.FormatInt(int64(d.Seconds()), 10) + " s"
	case d < time.Hour:
		return strconv.FormatInt(int64(d.Minutes()), 10) + " min"
	case d < 2*day:
		return strconv.FormatInt(int64(d.Hours()), 10) + " h"
	}
	return strconv.FormatInt(int64(d/day), 10) + " d"
}

// Took is a number of milliseconds as a duration.
func Took(ms int64) string {
	d := time.Duration(ms) * time.Millisecond
	if d < time.Second || d >= time.Minute {
		return Rough(d)
	}
	return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
}

// between is how long something took; empty: it has not begun or not ended.
func between(from, to millrace.Time) string {
	if from == 0 || to == 0 || to < from {
		return ""
	}
	return Took(to.Std().Sub(from.Std()).Milliseconds())
}

// badge shows a status in the colour of what it means.
func badge(status any, partial ...bool) template.HTML {
	text, class := fmt.Sprint(status), "wait"
	switch text {
	case "completed", "active", "delivered", "matched", "processed", "ran", "answered", "skipped", "coalesced":
		class = "ok"
	case "failed", "needs_reauth", "validation_error", "post_install_error", "error", "limit", "rejected", "missed", "failing":
		class = "failed"
	case "stopped", "cancelled", "not_matched", "inactive", "paused", "duplicate", "deduplicated":
		class = "off"
	}
	if len(partial) > 0 && partial[0] {
		text, class = "partial", "partial"
	}
	return template.HTML(`<span class="badge ` + class + `">` + template.HTMLEscapeString(strings.ReplaceAll(text, "_", " ")) + `</span>`) //nolint:gosec // it is escaped
}

// short is the beginning of an id, which is enough for people.
func short(id any) string {
	const shown = 13
	text := fmt.Sprint(id)
	if len(text) > shown {
		return text[:shown] + "…"
	}
	return text
}

// number shows how many there are, or at least.
func number(n views.Number) string {
	text := strconv.FormatInt(n.N, 10)
	if n.More {
		return "more than " + text
	}
	return text
}

// Size is a number of bytes.
func Size[N int | int64 | uint64](n N) string {
	const kib = 1 << 10
	switch m := uint64(n); {
	case m < kib:
		return strconv.FormatUint(m, 10) + " B"
	case m < kib*kib:
		return strconv.FormatUint(m/kib, 10) + " KiB"
	case m < 10*kib*kib*kib:
		return strconv.FormatUint(m/kib/kib, 10) + " MiB"
	default:
		return strconv.FormatUint(m/kib/kib/kib, 10) + " GiB"
	}
}

// sizeOf is Size for templates.
func sizeOf(n any) string {
	switch n := n.(type) {
	case int:
		return Size(n)
	case int64:
		return Size(n)
	case uint64:
		return Size(n)
	}
	return ""
}

// FailureOf reads an error as rows store it: a Failure, a RunError or a FirstError. Nil: there is none.
func FailureOf(raw any) *Failure {
	var text []byte
	switch v := raw.(type) {
	case json.RawMessage:
		text = v
	case []byte:
		text = v
	case string:
		if v != "" {
			return &Failure{Message: v}
		}
	}
	if len(text) == 0 || string(text) == "null" {
		return nil
	}
	var f Failure
	if err := json.Unmarshal(text, &f); err != nil || f.Message == "" {
		return &Failure{Message: string(text)}
	}
	return &f
}

// Failure is an error with its place.
type Failure struct {
	Code       string            `json:"code"`
	Message    string            `json:"message"`
	Node       string            `json:"node"`
	Resource   string            `json:"resource"`
	Request    string            `json:"request"`
	Status     int               `json:"status"`
	Path       string            `json:"path"`
	Line       int               `json:"line"`
	Column     int               `json:"column"`
	Suggestion string            `json:"suggestion"`
	Response   json.RawMessage   `json:"response"`
	Position   *millrace.Failure `json:"position"`
	At         millrace.Time     `json:"at"`
}

// maxShown is how much of a document a page shows.
const maxShown = 64 << 10

// jsonText shows JSON, indented and coloured, as far as a page should be long.
func jsonText(raw any) template.HTML {
	var text []byte
	switch v := raw.(type) {
	case json.RawMessage:
		text = v
	case []byte:
		text = v
	case string:
		text = []byte(v)
	default:
		encoded, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		text = encoded
	}
	if len(text) == 0 {
		return `<span class="none">none</span>`
	}
	var b bytes.Buffer
	if len(text) <= 4*maxShown && json.Indent(&b, text, "", "  ") == nil {
		text = b.Bytes()
	}
	rest := 0
	if len(text) > maxShown {
		rest = len(text) - maxShown
		text = bytes.ToValidUTF8(text[:maxShown], nil)
	}
	out := `<pre class="json" tabindex="0">` + colour(string(text)) + `</pre>`
	if rest > 0 {
		out += `<p class="note">` + Size(rest) + ` more are not shown.</p>`
	}
	return template.HTML(out) //nolint:gosec // colour escapes it
}

// colour marks the parts of a JSON text. It takes any text.
func colour(text string) string {
	var b strings.Builder
	mark := func(class, part string) {
		b.WriteString(`<span class="` + class + `">` + template.HTMLEscapeString(part) + `</span>`)
	}
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == '"':
			end := i + 1
			for end < len(text) && text[end] != '"' {
				if text[end] == '\\' {
					end++
				}
				end++
			}
			end = min(end+1, len(text))
			class := "s"
			if strings.HasPrefix(strings.TrimLeft(text[end:], " "), ":") {
				class = "k"
			}
			mark(class, text[i:end])
			i = end
		case c == '-' || c >= '0' && c <= '9':
			end := i + 1
			for end < len(text) && strings.IndexByte("0123456789.eE+-", text[end]) >= 0 {
				end++
			}
			mark("n", text[i:end])
			i = end
		case strings.HasPrefix(text[i:], "true"), strings.HasPrefix(text[i:], "null"):
			mark("b", text[i:i+4])
			i += 4
		case strings.HasPrefix(text[i:], "false"):
			mark("b", text[i:i+5])
			i += 5
		default:
			end := i + 1
			for end < len(text) && strings.IndexByte(`"-0123456789tfn`, text[end]) < 0 {
				end++
			}
			b.WriteString(template.HTMLEscapeString(text[i:end]))
			i = end
		}
	}
	return b.String()
}
