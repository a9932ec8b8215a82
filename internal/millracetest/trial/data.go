package trial

import (
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/millracetest/provider"
)

// asked is a page that the model has read.
type asked struct {
	node *node
	key  string
	page int
}

// padding is what a huge record carries.
func padding() string { return strings.Repeat("0123456789abcdef", 16<<10) }

// drawList makes up a list the first time that the model reads it. Its pages are those that a client which follows the
// pagination must read, an empty one at the end included.
func (t *Trial) drawList(n *node, key string, depth int) []provider.Page {
	res := t.Provider.Resources[resourceOf(n)]
	if pages, ok := res.Lists[key]; ok {
		return pages
	}
	deep := 0
	for up := n.up; up != nil; up = up.up {
		if up.kind == kindRequest {
			deep++
		}
	}
	count := t.random.IntN(max(3, 6-2*deep))
	var pages []provider.Page
	serial := 0
	for range count {
		var p provider.Page
		for range t.random.IntN(max(3, 6-deep)) {
			p = append(p, t.drawRecord(n, key, serial, depth))
			serial++
		}
		pages = append(pages, p)
	}
	pages = res.Fit(pages)
	if res.Pagination == provider.PageCursor && t.one(4) && len(pages) > 1 && len(pages[0]) > 0 {
		// A record was added before the next page was asked for: the last one of this page comes again.
		pages[1] = append(provider.Page{pages[0][len(pages[0])-1]}, pages[1]...)
	}
	if n.up == nil && !n.loops && !n.recurses && !t.loops && provider.IsCursor(res.Pagination) && t.one(15) {
		t.loops = true
		res.LoopTo[key] = t.random.IntN(len(pages))
	}
	res.Lists[key] = pages
	return pages
}

func (t *Trial) drawRecord(n *node, key string, serial, depth int) map[string]any {
	r := map[string]any{
		"id": fmt.Sprintf("%s.%x.%d", n.name, hashOf(key), serial), "n": float64(t.random.IntN(10)), "v": strconv.Itoa(t.random.IntN(10)),
	}
	if n.recurses {
		r["more"] = depth < 2 && t.one(3)
	}
	if t.one(12) {
		r["v"] = "bad"
	}
	if t.one(40) {
		r["pad"] = padding()
	}
	if t.one(10) {
		r["odd"] = map[string]any{"ünï": []any{nil, true, "\u2028<&>", 1.5, map[string]any{}}, "": ""}
	}
	return r
}

func hashOf(s string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(s))
	return h.Sum32()
}

// permanent is a fault that stays, and how it is reported.
type permanent struct {
	fault provider.Fault
	code  string
}

func permanents() []permanent {
	return []permanent{
		{provider.Fault{Status: http.StatusInternalServerError}, "http_500"},
		{provider.Fault{Status: http.StatusBadGateway}, "http_502"},
		{provider.Fault{Status: http.StatusNotFound}, "http_404"},
		{provider.Fault{Status: http.StatusForbidden}, "http_403"},
		{provider.Fault{Status: http.StatusUnprocessableEntity}, "http_422"},
		{provider.Fault{Break: provider.BreakReset}, "reset"},
		{provider.Fault{Break: provider.BreakHalf}, "reset"},
		{provider.Fault{Break: provider.BreakHTML}, "unreadable"},
		{provider.Fault{Break: provider.BreakTorn}, "unreadable"},
	}
}

// codeOf returns how a fault that stays is reported.
func codeOf(f *provider.Fault) string {
	for _, p := range permanents() {
		if p.fault.Status == f.Status && p.fault.Break == f.Break {
			return p.code
		}
	}
	return "?"
}

// drawFaults makes some of the pages fail that the model has read: for a while, as often as is overcome, or for
// good.
func (t *Trial) drawFaults(pages []asked, patient bool) {
	seen := map[string]bool{}
	for _, a := range pages {
		id := fmt.Sprint(a.node.name, a.key, a.page)
		if seen[id] {
			continue
		}
		seen[id] = true
		res := t.Provider.Resources[resourceOf(a.node)]
		switch draw := t.random.IntN(40); {
		case draw < 4:
			for range 1 + t.random.IntN(3) {
				res.Faults = append(res.Faults, t.drawTemporary(a))
			}
		case draw == 4:
			kinds := permanents()
			f := kinds[t.random.IntN(len(kinds))].fault
			f.List, f.Page = a.key, a.page
			res.Faults = append(res.Faults, &f)
		}
	}
	if last := pages[len(pages)-1]; patient && t.one(50) {
		res := t.Provider.Resources[resourceOf(last.node)]
		res.Faults = append(res.Faults, &provider.Fault{List: last.key, Page: last.page, Times: 1, Limit: provider.LimitSilent})
	}
	if t.one(20) && !t.loops {
		t.Provider.ExpireAfter = 1 + t.random.IntN(len(seen))
	}
	t.limits = t.limits || t.one(3)
}

// drawTemporary draws a fault that is overcome. Two in three do not need a second.
func (t *Trial) drawTemporary(a asked) *provider.Fault {
	f := &provider.Fault{List: a.key, Page: a.page, Times: 1}
	switch {
	case t.one(3):
		kinds := []string{provider.LimitSeconds, provider.LimitDate, provider.LimitReset, provider.LimitEpoch, provider.LimitBusy, provider.LimitBody, provider.LimitForbidden}
		f.Limit = kinds[t.random.IntN(len(kinds))]
		t.limits = t.limits || f.Limit == provider.LimitBody || f.Limit == provider.LimitForbidden
	case t.one(2):
		f.Status = []int{500, 502, 503, 504, 408}[t.random.IntN(5)]
	default:
		kinds := []string{provider.BreakReset, provider.BreakHalf, provider.BreakSlow, provider.BreakHTML, provider.BreakTorn, provider.BreakEmpty}
		f.Break = kinds[t.random.IntN(len(kinds))]
		if f.Break == provider.BreakEmpty && a.page == 0 {
			f.Break = provider.BreakHTML // an empty response to the first request is an empty list
		}
	}
	return f
}
