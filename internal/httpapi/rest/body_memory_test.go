package rest

import (
	"runtime"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/document"
)

// allocated returns how many bytes fn allocates. Tests that call it must not run beside others.
func allocated(fn func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestHostileBodiesAreCheap parses bodies of 4 MiB that are made to take as much as they can.
func TestHostileBodiesAreCheap(t *testing.T) { //nolint:paralleltest // it counts what the process allocates
	const size = 4 << 20
	fill := func(unit string) string { return strings.Repeat(unit, size/len(unit)-8) }
	many := func(key func(int) string) string {
		var b strings.Builder
		for i := 0; b.Len() < size-100; i++ {
			b.WriteString(key(i))
		}
		return b.String()
	}
	bodies := map[string]string{
		"steps, YAML":                  "steps: [" + fill("1,") + "1]",
		"steps, JSON":                  `{"config":{"steps":[` + fill("1,") + "1]}}",
		"steps, JSON that is broken":   `{"config":{"steps":[` + fill("1,") + "1]}",
		"empty arrays":                 "[" + fill("[],") + "[]]",
		"empty objects":                "[" + fill("{},") + "{}]",
		"empty texts":                  "[" + fill(`"",`) + `""]`,
		"members":                      "{" + many(func(i int) string { return `"` + string(rune('a'+i%26)) + strings.Repeat("x", i%7) + itoa(i) + `":1,` }) + `"z":1}`,
		"lines of a list, YAML":        "steps:\n" + fill("- 1\n"),
		"lines of a mapping, YAML":     many(func(i int) string { return "k" + itoa(i) + ": 1\n" }),
		"deep flow, YAML":              "steps: " + fill("["),
		"one long text, YAML":          "steps: " + fill("word "),
		"one text of lines, YAML":      "steps: a\n" + fill("  word\n"),
		"one block, YAML":              "steps: |\n" + fill("  word\n"),
		"comments, YAML":               "steps: 1\n" + fill("# x\n"),
		"quotes, YAML":                 `steps: "` + fill(`\n`) + `"`,
		"anchors, YAML":                many(func(i int) string { return "- &a" + itoa(i) + " 1\n" }),
		"question marks, YAML":         fill("? "),
		"dashes, YAML":                 fill("- "),
		"tags, YAML":                   "a: " + fill("!!str "),
		"documents, YAML":              fill("---\n"),
		"colons, YAML":                 fill(": "),
		"long key, YAML":               "steps: 1\n" + fill("k") + ": 1\n",
		"quoted that does not end":     `steps: "` + fill("x"),
		"JSON that is text, in quotes": `"` + fill("x") + `"`,
	}
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // see above
			n := allocated(func() {
				root, err := parseBody([]byte(body), "application/json", true, size)
				if err == nil && root.Kind == document.KindObject {
					_ = root.JSON()
				}
				if isYAML := strings.HasSuffix(name, "YAML"); isYAML {
					_, _ = parseBody([]byte(body), "application/yaml", true, size)
				}
			})
			t.Logf("%s: %d MiB allocated", name, n>>20)
			if n > 160<<20 {
				t.Errorf("%d MiB allocated, want at most 160", n>>20)
			}
		})
	}
}

func itoa(i int) string {
	digits := []byte{}
	for ; i > 0 || len(digits) == 0; i /= 10 {
		digits = append(digits, byte('0'+i%10))
	}
	return string(digits)
}
