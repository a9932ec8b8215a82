package jsregexp_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/millrace/millrace/jsonata/internal/jsregexp"
)

var (
	cases = flag.Int("cases", 3000, "patterns to compare with node")
	seed  = flag.Int64("seed", 0, "seed of these patterns; 0 takes the time")
)

func unlimited(int) error { return nil }

// TestCorpus compares with results of node.
func TestCorpus(t *testing.T) {
	t.Parallel()
	file, err := os.Open("testdata/corpus.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	compare(t, file)
}

// TestNode compares random patterns with the node at hand.
func TestNode(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("skipped: node not found")
	}
	if *seed == 0 {
		*seed = time.Now().UnixNano() % 1e9
	}
	t.Logf("seed %d", *seed)
	cmd := exec.CommandContext(t.Context(), node, "testdata/generate.js", strconv.Itoa(*cases), strconv.FormatInt(*seed, 10))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	compare(t, out)
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}

func compare(t *testing.T, results io.Reader) {
	t.Helper()
	lines, failures, count := bufio.NewScanner(results), 0, 0
	lines.Buffer(nil, 1<<20)
	for ; lines.Scan(); count++ {
		var source, flags, text string
		var start int
		var want any
		if err := json.Unmarshal(lines.Bytes(), &[]any{&source, &flags, &text, &start, &want}); err != nil {
			t.Fatal(err)
		}
		got := result(t, source, flags, text, start)
		if a, b := encode(t, got), encode(t, want); a != b {
			if failures++; failures < 40 {
				t.Errorf("/%s/%s on %q from %d: got %s, want %s", source, flags, text, start, a, b)
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d cases, %d failures", count, failures)
}

func encode(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func result(t *testing.T, source, flags, text string, start int) any {
	t.Helper()
	re, err := jsregexp.Compile(source, flags)
	var syntax *jsregexp.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return "error"
	case err != nil:
		t.Fatalf("/%s/%s: %v", source, flags, err)
	}
	m := re.Matcher(text)
	groups, err := m.Match(start, unlimited)
	if err != nil {
		t.Fatalf("/%s/%s on %q: %v", source, flags, text, err)
	}
	if groups == nil {
		return nil
	}
	result := []any{groups[0]}
	for i := 0; i < len(groups); i += 2 {
		if groups[i] < 0 {
			result = append(result, nil)
			continue
		}
		result = append(result, m.Slice(groups[i], groups[i+1]))
	}
	return result
}

func TestHalfPairs(t *testing.T) {
	t.Parallel()
	const high, low = "\xed\xa0\xbd", "\xed\xb8\x80" // U+D83D and U+DE00
	re, err := jsregexp.Compile("(.)(.)", "")
	if err != nil {
		t.Fatal(err)
	}
	m := re.Matcher("\U0001f600")
	groups, err := m.Match(0, unlimited)
	if err != nil || len(groups) != 6 {
		t.Fatalf("got %v, %v", groups, err)
	}
	if got := [...]string{m.Slice(0, 2), m.Slice(0, 1), m.Slice(1, 2)}; got != [...]string{"\U0001f600", high, low} {
		t.Errorf("got %q", got)
	}
	if got := re.Matcher(low + high).Len(); got != 2 {
		t.Errorf("got length %d of two halves, want 2", got)
	}
}
