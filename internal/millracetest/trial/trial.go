package trial

import (
	"fmt"
	"math/rand/v2"
	"net/http"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/millracetest"
	"github.com/millrace/millrace/internal/millracetest/provider"
)

// Trial is one random sync job run with everything around it: a job, a provider that misbehaves, and two webhooks
// that do. It follows from its seed alone.
type Trial struct {
	Seed      uint64
	Name      string // of its integration, its provider, and, with a letter behind it, its webhooks
	Provider  *provider.API
	Handling  millrace.ErrorHandling
	Responses [2][]*millracetest.Response // of the run's own webhook and of the other
	Cancel    bool                        // the webhook does not want the run

	roots  []*node
	nodes  []*node // as listed
	sinks  []*sink
	random *rand.Rand
	loops  bool // a list goes round in circles
	limits bool // the integration describes its rate limits
}

// node is one node of a job.
type node struct {
	name, kind string
	up         *node   // what it depends on; nil: nothing
	below      []*node // what depends on it, in order
	sinks      []*sink
	when       string // its run_if: whenEven, whenSeveral; empty: none

	loops    bool   // request: over args.items
	recurses bool   // request: for records with more
	sends    string // request: the name that an add_context above or beside it adds
	shape    string // transform: what it makes
}

// sink is a destination.
type sink struct {
	name    string
	from    []*node
	other   bool // sends to the other webhook
	several bool // only batches of more than one record
}

// Kinds of nodes.
const (
	kindRequest    = "request"
	kindTransform  = "transform"
	kindAddContext = "add_context"
	kindSpool      = "spool"
)

// Conditions of nodes: of a record with an even number, of a batch of several records.
const (
	whenEven    = "even"
	whenSeveral = "several"
)

// Shapes of what transforms make.
const (
	shapePick   = "pick"   // of each record id and n
	shapeEven   = "even"   // the records whose n is even
	shapeStrict = "strict" // of each record id, n and v as a number, which some are not
	shapeSum    = "sum"    // one record
)

// expressionOf returns a transform as JSONata; above names the node above it.
func expressionOf(shape, above string) string {
	switch batch := "resources." + above; shape {
	case shapeEven:
		return batch + "[n % 2 = 0]"
	case shapeStrict:
		return batch + `.{"id": id, "n": n, "v": $number(v)}`
	case shapeSum:
		return `{"id": "s" & $count(` + batch + `), "n": $count(` + batch + `)}`
	default: // shapePick
		return batch + `.{"id": id, "n": n}`
	}
}

// mostRequests bounds the pages that a trial reads.
const mostRequests = 60

// items are what loops run over.
func items() []string { return []string{"i1", "i2"} }

// New makes up the trial of a seed. patient allows waits of half a minute.
func New(seed uint64, patient bool) *Trial {
	for try := uint64(0); ; try++ {
		t := &Trial{
			Seed: seed, Name: fmt.Sprintf("t%d", seed), random: rand.New(rand.NewPCG(seed, try)),
			Provider: &provider.API{Key: fmt.Sprintf("key-of-%d", seed), Resources: map[string]*provider.Resource{}},
		}
		t.Handling = []millrace.ErrorHandling{millrace.ErrorIgnore, millrace.ErrorIgnore, millrace.ErrorBatch, millrace.ErrorFailFast}[t.random.IntN(4)]
		t.drawGraph()
		m := newModel(t)
		m.lists = t.drawList
		m.run()
		if len(m.asked) > mostRequests || len(m.asked) == 0 {
			continue
		}
		t.drawFaults(m.asked, patient)
		t.drawResponses()
		return t
	}
}

// one is true in one of n cases.
func (t *Trial) one(n int) bool { return t.random.IntN(n) == 0 }

func (t *Trial) drawGraph() {
	depth := map[*node]int{}
	for i := range 1 + t.random.IntN(6) {
		n := &node{name: fmt.Sprintf("n%d", i)}
		if len(t.nodes) > 0 && !t.one(6) {
			n.up = t.nodes[t.random.IntN(len(t.nodes))]
		}
		n.kind = t.drawKind(n.up)
		depth[n] = depth[n.up]
		if n.kind == kindRequest {
			depth[n]++
			if depth[n] > 3 {
				continue
			}
			t.drawRequest(n)
		}
		t.drawRest(n)
		t.nodes = append(t.nodes, n)
		if n.up == nil {
			t.roots = append(t.roots, n)
		} else {
			n.up.below = append(n.up.below, n)
		}
	}
	t.drawSinks()
}

// drawKind draws a kind that may stand below a node. Spools collect what comes of requests and their transforms.
func (t *Trial) drawKind(up *node) string {
	if up == nil {
		return kindRequest
	}
	kinds := []string{kindRequest, kindRequest, kindTransform, kindAddContext}
	collected := false
	for n := up; n != nil && n.kind != kindRequest; n = n.up {
		collected = collected || n.kind != kindTransform
	}
	if !collected {
		kinds = append(kinds, kindSpool)
	}
	return kinds[t.random.IntN(len(kinds))]
}

func (t *Trial) drawRequest(n *node) {
	res := &provider.Resource{PageSize: 1 + t.random.IntN(4), Lists: map[string][]provider.Page{}, LoopTo: map[string]int{}, Plain: t.one(8)}
	formats := []string{"", provider.PageNumber, provider.PageMore, provider.PageOffset, provider.PageTotal, provider.PageCursor, provider.PageHeader, provider.PageLink, provider.PageBody, provider.PageLinks, provider.PageRange, provider.PageComputed}
	res.Pagination = formats[t.random.IntN(len(formats))]
	n.loops, n.recurses = t.one(5), t.one(5)
	if n.up != nil && !n.recurses && t.one(2) {
		res.Parent = "at"
	}
	for c := n.up; c != nil; c = c.up {
		for _, beside := range append([]*node{c}, c.below...) {
			if beside.kind == kindAddContext && (n.sends == "" || t.one(2)) {
				n.sends = beside.name
			}
		}
	}
	t.Provider.Resources[resourceOf(n)] = res
}

// resourceOf returns the name of the resource of a request.
func resourceOf(n *node) string { return "r" + n.name }

func (t *Trial) drawRest(n *node) {
	switch {
	case n.kind == kindTransform:
		n.shape = []string{shapePick, shapeEven, shapeStrict, shapeSum}[t.random.IntN(4)]
		if t.one(4) {
			n.when = whenSeveral
		}
	case (n.kind == kindRequest || n.kind == kindAddContext) && n.up != nil && t.one(3):
		n.when = whenEven
	}
}

func (t *Trial) drawSinks() {
	for i := range 1 + t.random.IntN(2) {
		s := &sink{name: fmt.Sprintf("out%d", i), other: i == 1 && t.one(2), several: t.one(6)}
		for _, n := range t.nodes {
			if n.kind != kindAddContext && (t.one(2) || n == t.nodes[0]) {
				s.from = append(s.from, n)
				n.sinks = append(n.sinks, s)
			}
		}
		t.sinks = append(t.sinks, s)
	}
}

// drawResponses makes up how the webhooks misbehave. In the end, they respond.
func (t *Trial) drawResponses() {
	for i := range t.Responses {
		for t.one(3) {
			a := &millracetest.Response{Status: []int{500, 0, 429, 502, 503, 504, 200}[t.random.IntN(7)], Skip: t.random.IntN(12), Times: 1 + t.random.IntN(2)}
			a.Slow = a.Status == http.StatusOK
			if a.Status == http.StatusTooManyRequests && t.one(3) {
				a.RetryAfter = "1"
			}
			t.Responses[i] = append(t.Responses[i], a)
		}
	}
	if t.one(25) {
		t.Cancel = true
		t.Responses[0] = []*millracetest.Response{{Event: millrace.EventRunStarted, Status: http.StatusBadRequest}}
	}
}
