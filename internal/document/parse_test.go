package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
)

func TestParseJSON(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"order and numbers stay", ` { "b" : 1.50, "a": [ true, false,null ,-0, 1E+2, 12345678901234567890 ] } `, `{"b":1.50,"a":[true,false,null,-0,1E+2,12345678901234567890]}`},
		{"escapes", `"\u00e9\n\t\"\\\/ <&> é \ud83d\ude00 \ud800"`, `"é\n\t\"\\/ <&> é 😀 ` + "\uFFFD" + `"`},
		{"control characters", `"\u0001\u001f\r"`, `"\u0001\u001f\r"`},
		{"empty", `[{},[],""]`, `[{},[],""]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v, err := ParseJSON([]byte(c.in))
			if err != nil {
				t.Fatalf("parseJSON(%s): %v", c.in, err)
			}
			if got := string(v.JSON()); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestBrokenBodiesHaveAPlace(t *testing.T) {
	t.Parallel()
	yamlBody := func(b []byte) (*Value, error) { return ParseYAML(b, 1<<20) }
	for _, c := range []struct {
		name         string
		parse        func([]byte) (*Value, error)
		in           string
		line, column int
		says         string
	}{
		{"unquoted key", ParseJSON, "{\n  a: 1}", 2, 3, "key in double quotes"},
		{"trailing comma", ParseJSON, `{"a":1,}`, 1, 8, "key in double quotes"},
		{"no colon", ParseJSON, `{"a" 1}`, 1, 6, "colon after the key \"a\""},
		{"no comma", ParseJSON, "{\"a\":1\n\"b\":2}", 2, 1, "comma or }"},
		{"array without comma", ParseJSON, `[1 2]`, 1, 4, "comma or ]"},
		{"cut short", ParseJSON, `{"a":`, 1, 6, "end of the body"},
		{"string without end", ParseJSON, `{"a":"b`, 1, 6, "does not end"},
		{"raw line break", ParseJSON, "{\"é\":\"b\nc\"}", 1, 8, `write \n`},
		{"control character", ParseJSON, "{\"a\":\"b\x01\"}", 1, 8, "0x01"},
		{"bad escape", ParseJSON, `{"a":"\q"}`, 1, 7, "escape"},
		{"short \\u", ParseJSON, `{"a":"\u12"}`, 1, 7, "four hexadecimal"},
		{"nul", ParseJSON, `{"a":"x\u0000"}`, 1, 8, "cannot be stored"},
		{"not UTF-8", ParseJSON, "{\"a\":\"\xff\"}", 1, 6, "not UTF-8"},
		{"leading zero", ParseJSON, `{"a":01}`, 1, 7, "comma or }"},
		{"no digits", ParseJSON, `{"a":-}`, 1, 7, "digit"},
		{"no fraction", ParseJSON, `{"a":1.}`, 1, 8, "decimal point"},
		{"no exponent", ParseJSON, `{"a":1e}`, 1, 8, "exponent"},
		{"huge number", ParseJSON, `{"a":1e999}`, 1, 11, "too large"},
		{"bare word", ParseJSON, `{"a":nul}`, 1, 6, "expected a value"},
		{"two documents", ParseJSON, `{} {}`, 1, 4, "after the end"},
		{"duplicate key", ParseJSON, "{\n \"a\":1,\n \"a\":2}", 3, 2, `duplicate key "a"`},
		{"duplicate key by escape", ParseJSON, `{"a":1,"\u0061":2}`, 1, 8, `duplicate key "a"`},
		{"deep", ParseJSON, strings.Repeat("[", 300), 1, 202, "deeper than 200"},
		{"yaml duplicate key", yamlBody, "a: 1\nb: 2\na: 3\n", 3, 1, `duplicate key "a"`},
		{"yaml duplicate key in flow", yamlBody, `{a: 1, a: 2}`, 1, 8, `duplicate key "a"`},
		{"yaml nested mapping on a line", yamlBody, "a:\n  b: c: d", 2, 6, "not allowed"},
		{"yaml tab", yamlBody, "a:\n\t- b", 2, 1, "character"},
		{"yaml unclosed", yamlBody, "a: [1, 2", 1, 4, "]"},
		{"yaml unknown alias", yamlBody, "a: *b", 1, 4, `unknown anchor "b"`},
		{"yaml second document", yamlBody, "a: 1\n---\nb: 2", 3, 2, "second document"},
		{"yaml custom tag", yamlBody, "a: !env HOME", 1, 4, "tag"},
		{"yaml infinity", yamlBody, "a: .inf", 1, 4, "no JSON form"},
		{"yaml nothing", yamlBody, "# only a comment\n", 1, 1, "no document"},
		{"yaml not UTF-8", yamlBody, "a: b\nc: \xff", 2, 4, "0xff"},
		{"yaml nul", yamlBody, "a: \"\\0\"", 1, 4, "cannot be stored"},
		{"yaml complex key", yamlBody, "[a]: b", 1, 4, "key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := c.parse([]byte(c.in))
			var known *millrace.Error
			if !errors.As(err, &known) || known.Kind != millrace.KindInvalid || len(known.Failures) != 1 {
				t.Fatalf("%q: got %v, want one finding of kind invalid", c.in, err)
			}
			f := known.Failures[0]
			if f.Line != c.line || f.Column != c.column || !strings.Contains(f.Message, c.says) {
				t.Errorf("%q: got %d:%d %q, want %d:%d and %q", c.in, f.Line, f.Column, f.Message, c.line, c.column, c.says)
			}
		})
	}
}

func TestParseYAML(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"scalars", "b: 1\na: [true, ~, 1.5, 0x1f, 0o17, '01', 2024-01-01, yes]\n", `{"b":1,"a":[true,null,1.5,31,15,"01","2024-01-01","yes"]}`},
		{"block text", "a: |\n  x\n  y\nb: >\n  x\n  y\n", `{"a":"x\ny\n","b":"x y\n"}`},
		{"quoted text over lines", "{\"a\": \"(\n   x := \\\"1\\\"\n\n   y\n )\"}", `{"a":"( x := \"1\"\ny )"}`},
		{"quoted text with CRLF", "{\"a\": \"x\r\n  y\"\r\n}", `{"a":"x y"}`},
		{"quoted text that goes on at the margin", "{\n  \"a\": \"x\ny\n   z\",\n\t\"b\": [1]\n}", `{"a":"x y z","b":[1]}`},
		{"aliases", "a: &x {b: [1]}\nc: *x\n", `{"a":{"b":[1]},"c":{"b":[1]}}`},
		{"merge", "a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3\n", `{"a":{"b":1,"c":2},"d":{"c":3,"b":1}}`},
		{"tags", "a: !!str 12\nb: !!int 3\n", `{"a":"12","b":3}`},
		{"keys", "1: a\ntrue: b\n'x y': c\n", `{"1":"a","true":"b","x y":"c"}`},
		{"directive", "%YAML 1.2\n---\na: 1\n", `{"a":1}`},
		{"empty values", "a:\nb: []\n", `{"a":null,"b":[]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v, err := ParseYAML([]byte(c.in), 1<<20)
			if err != nil {
				t.Fatalf("parseYAML(%q): %v", c.in, err)
			}
			if got := string(v.JSON()); got != c.want {
				t.Errorf("%q: got %s, want %s", c.in, got, c.want)
			}
		})
	}
}

// hostileYAML are documents that cost a naive reader memory, time or its stack.
func hostileYAML() map[string]string {
	var bomb strings.Builder
	bomb.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x]\n")
	for i := range 9 {
		letter := string(rune('a' + i))
		bomb.WriteString(letter + "1: &" + letter + "1 [")
		previous := "a0"
		if i > 0 {
			previous = string(rune('a'+i-1)) + "1"
		}
		bomb.WriteString(strings.TrimSuffix(strings.Repeat("*"+previous+",", 9), ",") + "]\n")
	}
	var keys strings.Builder
	for i := range 30_000 {
		keys.WriteString("k" + strings.Repeat("x", i%7) + ": v\n")
	}
	return map[string]string{
		"billion laughs": bomb.String(),
		"itself":         "a: &x [*x, *x]",
		"long aliases":   "a: &x " + strings.Repeat("x", 100_000) + "\nb: [" + strings.Repeat("*x,", 5000) + "]",
		"deep flow":      strings.Repeat("[", 1<<17),
		"deep block":     strings.Repeat("- ", 1<<17),
		"deep mapping":   strings.Repeat("{a: ", 1<<15),
		"question marks": strings.Repeat("? ", 1<<17),
		"tags":           strings.Repeat("!!a ", 1<<16),
		"anchors":        strings.Repeat("&a ", 1<<16),
		"keys":           keys.String(),
		"long key":       strings.Repeat("k", 1<<20) + ":\n" + strings.Repeat("  - a\n", 9000),
		"documents":      strings.Repeat("---\n", 1<<16),
	}
}

func TestHostileYAMLIsRejectedSoon(t *testing.T) {
	t.Parallel()
	for name, in := range hostileYAML() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			v, err := ParseYAML([]byte(in), 4<<20)
			if err == nil {
				t.Errorf("got %d bytes, want a rejection", len(v.JSON()))
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

func TestManyValuesAreRejected(t *testing.T) {
	t.Parallel()
	if _, err := ParseJSON([]byte("[" + strings.Repeat("[],", 300_000) + "[]]")); err == nil {
		t.Error("got no error for 300,000 values")
	}
}

func TestMergePatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ into, from, want string }{
		{`{"a":1,"b":{"c":1,"d":2}}`, `{"b":{"c":null,"e":3},"f":[1]}`, `{"a":1,"b":{"d":2,"e":3},"f":[1]}`},
		{`{"a":[1,2]}`, `{"a":[3]}`, `{"a":[3]}`},
		{`{"a":{"b":1}}`, `{"a":2}`, `{"a":2}`},
		{`{"a":1}`, `{"a":{"b":1}}`, `{"a":{"b":1}}`},
	} {
		into, err := ParseJSON([]byte(c.into))
		if err != nil {
			t.Fatal(err)
		}
		from, err := ParseJSON([]byte(c.from))
		if err != nil {
			t.Fatal(err)
		}
		into.Merge(from)
		if got := string(into.JSON()); got != c.want {
			t.Errorf("%s + %s: got %s, want %s", c.into, c.from, got, c.want)
		}
	}
}

// FuzzParseJSON compares with encoding/json, which accepts more: duplicate keys, any depth, NUL and broken UTF-8.
func FuzzParseJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e3,"x\u00e9\n",null,true]}`, `[[[]]]`, `{"a":1,"a":2}`, `"\ud800"`, "{\"a\":\"\n\"}", `-0.0`, `{"":""}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		v, err := ParseJSON(in)
		if err != nil {
			var known *millrace.Error
			if !errors.As(err, &known) || len(known.Failures) != 1 || known.Failures[0].Line < 1 || known.Failures[0].Column < 1 {
				t.Fatalf("%q: error %v has no place", in, err)
			}
			return
		}
		var want, got any
		if err := json.Unmarshal(in, &want); err != nil {
			t.Fatalf("%q: accepted, but encoding/json says %v", in, err)
		}
		out := v.JSON()
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatalf("%q: became %s: %v", in, out, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%q: became %s (-want +got)\n%s", in, out, diff)
		}
		again, err := ParseJSON(out)
		if err != nil || !bytes.Equal(again.JSON(), out) {
			t.Fatalf("%q: %s does not survive a second time: %v", in, out, err)
		}
	})
}

func FuzzParseYAML(f *testing.F) {
	for _, s := range []string{
		"a: 1\nb: [x, 'y', \"z\"]\n", "a: &x {b: 1}\nc: *x\n<<: *x", "- a\n- b: |\n    c\n", "{\"a\": \"x\n y\"}", "? a\n: b", "a: !!str 1",
		"%YAML 1.2\n---\na", "- - - a", "a: 'b''c'\n", "\"\\x41\"", "a: >-\n x\n\n y\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		v, err := ParseYAML(in, 1<<16)
		if err != nil {
			var known *millrace.Error
			if !errors.As(err, &known) || len(known.Failures) != 1 || known.Failures[0].Line < 1 || known.Failures[0].Column < 1 {
				t.Fatalf("%q: error %v has no place", in, err)
			}
			return
		}
		out := v.JSON()
		if !json.Valid(out) {
			t.Fatalf("%q: became %s, which is not JSON", in, out)
		}
		if again, err := ParseJSON(out); err != nil || !bytes.Equal(again.JSON(), out) {
			t.Fatalf("%q: %s does not survive: %v", in, out, err)
		}
	})
}
