package expr

import (
	"errors"
	"strings"
	"testing"
)

func TestProgramCacheIsBounded(t *testing.T) {
	t.Parallel()
	c := newProgramCache()
	compile := func(src string) func() (*Program, error) {
		return func() (*Program, error) {
			program, err := Dialect().Compile(src)
			return &Program{program: program}, err
		}
	}
	for i := range 30 {
		src := strings.Repeat("a+", 1_900) + strings.Repeat("b", i+1)
		src = "[" + src + "," + src + "]"
		if _, err := c.get(src, compile(src)); err != nil {
			t.Fatal(err)
		}
		if c.size > maxCachedMemory || c.order.Len() != len(c.bySource) {
			t.Fatalf("after %d programs: got %d bytes in %d entries (%d indexed), want at most %d bytes",
				i+1, c.size, c.order.Len(), len(c.bySource), maxCachedMemory)
		}
	}
	first, err := c.get("1", compile("1"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.get("1", func() (*Program, error) { return nil, errors.New("compiled twice") })
	if err != nil || again != first {
		t.Errorf("got %p, %v, want the program %p from the cache", again, err, first)
	}
}
