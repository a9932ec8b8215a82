package show_test

import (
	"bytes"
	"encoding/json"
	"html/template"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dashboard/show"
)

// render runs a template with one value.
func render(t *testing.T, text string, value any) string {
	t.Helper()
	page, err := template.New("").Funcs(show.Functions()).Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := page.Execute(&b, value); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestDocumentsAreText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{"a<b>":"<script>","n":-1.5e3,"t":true,"x":null}`: `<span class="k">&#34;a&lt;b&gt;&#34;</span>: <span class="s">&#34;&lt;script&gt;&#34;</span>`,
		`<img src=x>`: `&lt;img src=x&gt;`,
		`"open \"`:    `<span class="s">&#34;open \&#34;</span>`,
		`nul`:         `nul`,
		``:            `none`,
	} {
		if got := render(t, `{{json .}}`, json.RawMessage(in)); !strings.Contains(got, want) || strings.Contains(got, "<img") || strings.Contains(got, "<script") {
			t.Errorf("%s is shown as %s, want %s in it", in, got, want)
		}
	}
	large := render(t, `{{json .}}`, json.RawMessage(`"`+strings.Repeat("é", 2<<20)+`"`))
	if len(large) > 80<<10 || !strings.Contains(large, "MiB more are not shown") {
		t.Errorf("4 MiB are shown in %d bytes", len(large))
	}
}

func FuzzDocuments(f *testing.F) {
	f.Add(`{"a":"\"<b>","c":[1,true,null]}`)
	f.Add("\"\\")
	f.Fuzz(func(t *testing.T, in string) {
		got := render(t, `{{json .}}`, in)
		plain := strings.NewReplacer(`<pre class="json" tabindex="0">`, "", `</pre>`, "", `<span class="none">`, "", `<span class="k">`, "", `<span class="s">`, "", `<span class="n">`, "", `<span class="b">`, "",
			`</span>`, "", `<p class="note">`, "", `</p>`, "").Replace(got)
		if strings.ContainsAny(plain, "<>") {
			t.Errorf("%q is shown as %q", in, got)
		}
	})
}

func TestTimesAndErrors(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		12 * time.Millisecond: "12 ms", 59 * time.Second: "59 s", 90 * time.Minute: "1 h", 47 * time.Hour: "47 h", 72 * time.Hour: "3 d",
	} {
		if got := show.Rough(d); got != want {
			t.Errorf("%s is %s, want %s", d, got, want)
		}
	}
	at := millrace.TimeOf(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	for after, want := range map[time.Duration]string{0: "now", 90 * time.Second: "1 min ago", -5 * time.Minute: "in 5 min", -31 * 24 * time.Hour: "in 31 d (2026-03-01)"} {
		if got := render(t, `{{time .now .at}}`, map[string]millrace.Time{"now": at.Add(after), "at": at}); !strings.Contains(got, ">"+want+"<") || !strings.Contains(got, `datetime="2026-03-01T12:00:00.000Z"`) {
			t.Errorf("%s later it was %s, want %s", after, got, want)
		}
	}
	f := show.FailureOf(json.RawMessage(`{"code":"http_500","message":"broken","request":"GET https://example.com"}`))
	if f == nil || f.Code != "http_500" || f.Message != "broken" || f.Request != "GET https://example.com" {
		t.Errorf("got %+v", f)
	}
	if f := show.FailureOf(json.RawMessage(`"text"`)); f == nil || f.Message != `"text"` {
		t.Errorf("an error that is no object is %+v", f)
	}
	for _, none := range []any{nil, json.RawMessage(nil), json.RawMessage("null"), ""} {
		if f := show.FailureOf(none); f != nil {
			t.Errorf("%v is the error %+v", none, f)
		}
	}
}
