package secret

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"pgregory.net/rapid"
)

// encodings are the ways in which a secret comes back. Each gives a text without white space at its ends.
func encodings() map[string]func(string) string {
	escaped := func(upper bool, every bool) func(string) string {
		return func(s string) string {
			var b strings.Builder
			for _, r := range s {
				if !every && r < 0x80 && r != '/' && r != '"' && r != '\\' && r >= ' ' {
					b.WriteRune(r)
					continue
				}
				for _, unit := range utf16.Encode([]rune{r}) {
					text := fmt.Sprintf("%04x", unit)
					if upper {
						text = strings.ToUpper(text)
					}
					b.WriteString(`\u` + text)
				}
			}
			return b.String()
		}
	}
	percent := func(s string) string {
		var b strings.Builder
		for _, c := range []byte(s) {
			fmt.Fprintf(&b, "%%%02x", c)
		}
		return b.String()
	}
	entities := func(format string) func(string) string {
		return func(s string) string {
			var b strings.Builder
			for _, r := range s {
				fmt.Fprintf(&b, format, r)
			}
			return b.String()
		}
	}
	quoted := func(s string) string {
		data, _ := json.Marshal(s)
		return string(data[1 : len(data)-1])
	}
	out := map[string]func(string) string{
		"plain": func(s string) string { return s }, "upper": strings.ToUpper, "lower": strings.ToLower,
		"json": quoted, "slashes": func(s string) string { return strings.ReplaceAll(quoted(s), "/", `\/`) },
		"unicode": escaped(false, false), "unicode upper": escaped(true, false), "unicode all": escaped(false, true), "unicode all upper": escaped(true, true),
		"html": html.EscapeString, "decimal": entities("&#%d;"), "hexadecimal": entities("&#x%x;"), "hexadecimal upper": entities("&#X%X;"),
		"query": url.QueryEscape, "path": url.PathEscape, "percent all": percent, "percent upper": func(s string) string { return strings.ToUpper(percent(s)) },
		"hex": func(s string) string { return hex.EncodeToString([]byte(s)) }, "hex upper": func(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) },
	}
	return out
}

// layers can be put around any other encoding.
func layers() map[string]func(string) string {
	all := encodings()
	return map[string]func(string) string{
		"none": all["plain"], "json": all["json"], "html": all["html"], "query": all["query"], "percent all": all["percent all"], "unicode all": all["unicode all"],
	}
}

func secretGen(t *rapid.T) string {
	alphabet := []rune(`abcXYZ0189-_./+="'\&<>%$ ~:#éßñ漢😀`)
	s := strings.TrimSpace(string(rapid.SliceOfN(rapid.SampledFrom(alphabet), MinText, 40).Draw(t, "secret")))
	if len(s) < MinText {
		return "fallback-secret"
	}
	return s
}

func names[V any](m map[string]V) []string {
	var out []string
	for name := range m {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// TestScrubEncodings checks random secrets in random encodings with a random layer around them. rapid prints its seed.
func TestScrubEncodings(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := secretGen(t)
		s := NewScrubber([]string{text, "another secret"}, MinText)
		encode := rapid.SampledFrom(names(encodings())).Draw(t, "encoding")
		layer := rapid.SampledFrom(names(layers())).Draw(t, "layer")
		shown := layers()[layer](encodings()[encode](text))
		if strings.Contains(encode, "upper") && strings.ToUpper(text) != text && !strings.EqualFold(strings.ToLower(strings.ToUpper(text)), text) {
			t.Skip("its case cannot be undone")
		}
		in := "{[ " + shown + " ]}"
		if got := s.Scrub(in); got != "{[ "+Redacted+" ]}" {
			t.Fatalf("%q in %s, then %s: got %q of %q", text, encode, layer, got, in)
		}
	})
}

func TestScrubBase64AtEveryOffset(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := secretGen(t)
		s := NewScrubber([]string{text}, MinText)
		encoding := rapid.SampledFrom([]*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding, base64.RawURLEncoding}).Draw(t, "alphabet")
		before := rapid.StringN(0, 8, 12).Draw(t, "before")
		after := rapid.StringN(0, 8, 12).Draw(t, "after")
		layer := rapid.SampledFrom(names(layers())).Draw(t, "layer")
		shown := encoding.EncodeToString([]byte(before + text + after))
		wrapped := rapid.Bool().Draw(t, "lines")
		if wrapped && len(shown) > 9 {
			shown = shown[:9] + "\r\n" + shown[9:]
		}
		shown = layers()[layer](shown)
		got := s.Scrub(shown)
		if !strings.Contains(got, Redacted) {
			t.Fatalf("%q: nothing replaced in %q", text, shown)
		}
		// What is left of the middle tells nothing: decode it at every offset.
		for left := range strings.SplitSeq(got, Redacted) {
			for cut := range min(4, len(left)) {
				piece := left[cut:]
				decoded, _ := encoding.WithPadding(base64.NoPadding).DecodeString(piece[:len(piece)/4*4])
				if len(text) > 8 && strings.Contains(string(decoded), text[:6]) {
					t.Fatalf("%q: %q shows %q", text, got, decoded)
				}
			}
		}
	})
}

// TestScrubAtTheCut puts secrets everywhere around the place where a text is cut.
func TestScrubAtTheCut(t *testing.T) {
	t.Parallel()
	const n = 4 << 10
	const text = `cut"me/é-quite+long secret`
	s := NewScrubber([]string{text}, MinText)
	for name, encode := range encodings() {
		if strings.HasSuffix(name, "upper") || name == "lower" || name == "upper" {
			continue
		}
		shown := encode(text)
		for at := n - len(shown) - 2; at <= n+1; at++ {
			in := strings.Repeat(".", at) + shown + strings.Repeat(",", 3*n)
			got := s.ScrubPrefix(in, n)
			if got != s.Scrub(in)[:len(got)] || strings.Trim(got, ".,*") != "" || len(got) > n+len(Redacted) {
				t.Fatalf("%s at %d: got the end %q", name, at, got[max(0, len(got)-40):])
			}
		}
	}
}

func TestScrubDetails(t *testing.T) {
	t.Parallel()
	s := NewScrubber([]string{"overlap-one", "one-after", "a%41b", `back\nslash`, "x&amp;y", " padded\n", "abc", "k&y=1/2"}, MinText)
	for in, want := range map[string]string{
		"overlap-one-after!":                  "***!",
		"a%41b a%2541b":                       "*** ***",
		`back\nslash, back\\nslash`:           "***, ***",
		"x&amp;y, x&amp;amp;y":                "***, ***",
		"(padded)":                            "(***)",
		"abc stays: it is too short":          "abc stays: it is too short",
		"overlap-onE overlap-on":              "*** overlap-on",
		"https://a/?k=k%26y%3D1%2F2&x":        "https://a/?k=***&x",
		"&#111verlap-one":                     "***",
		"\\x6fverlap-one \\157verlap-one":     "*** ***",
		"overlap-one" + "overlap-one":         "******",
		"caf\xe9 overlap-one":                 "caf\xe9 ***",
		"%u006fverlap-one \\u{6f}verlap-one.": "*** ***.",
	} {
		if got := s.Scrub(in); got != want {
			t.Errorf("got %q of %q, want %q", got, in, want)
		}
	}
	latin1 := NewScrubber([]string{"pass-café-word"}, MinText)
	if got := latin1.Scrub("?p=pass-caf%E9-word&x pass-caf\xe9-word"); got != "?p=***&x ***" {
		t.Errorf("got %q", got)
	}
	var none *Scrubber
	if none.Scrub("x") != "x" || none.Hides("x") || none.HidesPlain("x") || none.ScrubPrefix("abc", 2) != "ab" {
		t.Error("a nil scrubber changes something")
	}
	many := make([]string, maxSecrets+1)
	for i := range many {
		many[i] = fmt.Sprintf("secret-%d", i)
	}
	if got := NewScrubber(many, MinText).Scrub("anything"); got != Withheld {
		t.Errorf("got %q", got)
	}
}

// TestScrubTime keeps hostile texts and secrets linear. The bound is that of a machine with much else to do; comparing the secret
// at every place would take longer than that on any.
func TestScrubTime(t *testing.T) {
	t.Parallel()
	const size = 512 << 10
	hostile := []string{strings.Repeat("a", 20_000) + "b"}
	for i := range 60 {
		hostile = append(hostile, strings.Repeat("a", 100+i)+"b")
	}
	s := NewScrubber(hostile, MinText)
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, size)
	for i := range noise {
		noise[i] = byte(random.IntN(256))
	}
	for name, text := range map[string]string{
		"prefixes": strings.Repeat("a", size), "matches": strings.Repeat(strings.Repeat("a", 200)+"b", size/200),
		"backslashes": strings.Repeat(`\`, size), "percents": strings.Repeat("%25", size/3), "entities": strings.Repeat("&amp", size/4), "noise": string(noise),
	} {
		began := time.Now()
		s.Scrub(text)
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("%s: %d bytes took %s", name, len(text), took)
		} else {
			t.Logf("%s: %d bytes took %s", name, len(text), took)
		}
	}
}

func BenchmarkScrub(b *testing.B) {
	s := NewScrubber([]string{"sk_live_0123456789abcdef0123456789abcdef", strings.Repeat("eyJhbGciOi.", 40)}, MinText)
	text := strings.Repeat(`{"id":17,"subject":"ticket 17","tags":["a","b"],"url":"https:\/\/x.test\/a"},`, 200)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		s.Scrub(text)
	}
}

func BenchmarkNewScrubber(b *testing.B) {
	secrets := []string{"sk_live_0123456789abcdef0123456789abcdef", strings.Repeat("eyJhbGciOi.", 40)}
	for b.Loop() {
		NewScrubber(secrets, MinText)
	}
}

func FuzzScrub(f *testing.F) {
	f.Add("a secret", `x \u0061 secret`)
	f.Fuzz(func(t *testing.T, secret, text string) {
		s := NewScrubber([]string{secret}, MinText)
		got := s.Scrub(text)
		if len(secret) >= MinText && len(secret) < 1000 && !strings.Contains(Redacted, secret) && strings.Contains(got, secret) && !strings.Contains(secret, "*") {
			t.Errorf("%q of %q and %q", got, secret, text)
		}
		for n := range min(len(text), 20) {
			s.ScrubPrefix(text, n)
		}
	})
}
