package trial

import (
	"cmp"
	"errors"
	"maps"
	"strconv"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/millracetest/provider"
)

// model says what a trial must deliver. It knows what the documentation promises about jobs, and nothing of the code
// that executes them: it walks the graph by recursion, never stops in the middle and makes no requests.
type model struct {
	trial *Trial
	lists func(n *node, key string, depth int) []provider.Page
	most  int // pages that a list in circles gives before that is noticed

	asked  []asked // in order
	sent   []sent
	stats  map[string]*counts      // by resource
	errors []string                // of error_handling batch
	pages  map[string]bool         // asked for so far
	spools map[*node]provider.Page // of the request under way
	status millrace.RunStatus
	code   string // why the run failed
	first  string // the code of the first error
}

// sent is a delivery as far as it can be foretold.
type sent struct {
	Event    string
	Other    bool // to the other webhook
	Resource string
	Node     string
	Records  []any
	Codes    []string // of errors
}

// counts are those of resource_stats.
type counts struct {
	Pages     int `json:"pages"`
	Fetched   int `json:"fetched"`
	Persisted int `json:"persisted"`
	Failed    int `json:"failed"`
}

// sight is what is visible at a place of the graph.
type sight struct {
	items   []string          // args.items
	context map[string]string // added by add_context nodes
}

// errStopped ends a run that must fail.
var errStopped = errors.New("the run stops")

const mostBatchedErrors = 50

func newModel(t *Trial) *model {
	return &model{trial: t, stats: map[string]*counts{}, pages: map[string]bool{}, lists: func(n *node, key string, _ int) []provider.Page {
		pages, drawn := t.Provider.Resources[resourceOf(n)].Lists[key]
		if !drawn { // it was counted in a list in circles, which had no circles when the lists were drawn
			return []provider.Page{nil}
		}
		return pages
	}}
}

func (m *model) run() {
	m.sent = append(m.sent, sent{Event: millrace.EventRunStarted})
	if m.trial.Cancel {
		m.status = millrace.RunStopped
		return
	}
	err := m.requests(m.trial.roots, nil, sight{items: items()})
	m.flushErrors()
	if err == nil && m.first != "" && m.fruitless() {
		err, m.code = errStopped, m.first
	}
	if err != nil {
		m.status = millrace.RunFailed
		m.sent = append(m.sent, sent{Event: millrace.EventRunFailed})
		return
	}
	m.status = millrace.RunCompleted
	m.sent = append(m.sent, sent{Event: millrace.EventRunCompleted})
}

// fail handles an error as the run's error_handling says.
func (m *model) fail(resource, code string) error {
	m.count(resource).Failed++
	m.first = cmp.Or(m.first, code)
	switch m.trial.Handling {
	case millrace.ErrorFailFast:
		m.code = code
		return errStopped
	case millrace.ErrorBatch:
		if m.errors = append(m.errors, code); len(m.errors) >= mostBatchedErrors {
			m.flushErrors()
		}
	case millrace.ErrorIgnore:
		m.sent = append(m.sent, sent{Event: millrace.EventRunRecordError, Resource: resource, Codes: []string{code}})
	}
	return nil
}

// fruitless reports whether no request has succeeded.
func (m *model) fruitless() bool {
	for _, c := range m.stats {
		if c.Pages > 0 {
			return false
		}
	}
	return true
}

func (m *model) flushErrors() {
	if len(m.errors) > 0 {
		m.sent = append(m.sent, sent{Event: millrace.EventRunRecordError, Codes: m.errors})
		m.errors = nil
	}
}

func (m *model) count(resource string) *counts {
	if m.stats[resource] == nil {
		m.stats[resource] = &counts{}
	}
	return m.stats[resource]
}

// requests makes the requests among nodes for a record; nil: for nothing.
func (m *model) requests(nodes []*node, record map[string]any, s sight) error {
	for _, n := range nodes {
		if n.kind != kindRequest || !holds(n, record) {
			continue
		}
		of := ""
		if record != nil {
			of = textOf(record["id"])
		}
		if err := m.request(n, of, s); err != nil {
			return err
		}
	}
	return nil
}

// request reads the lists of a request that its parent makes, and then what its spools have collected.
func (m *model) request(n *node, of string, s sight) error {
	outer := m.spools
	m.spools = map[*node]provider.Page{}
	defer func() { m.spools = outer }()
	elements := []string{""}
	if n.loops {
		elements = s.items
	}
	for _, el := range elements {
		inner := s
		if n.loops {
			inner.items = []string{el}
		}
		if err := m.list(n, of, inner, 0); err != nil {
			return err
		}
	}
	for _, collector := range collectors(n) {
		collected := m.spools[collector]
		if len(collected) == 0 {
			continue
		}
		if err := m.batchAndBelow(collector, collected, s, 0); err != nil {
			return err
		}
	}
	return nil
}

// collectors returns the spools of a request, in order.
func collectors(n *node) []*node {
	var found []*node
	for _, c := range n.below {
		if c.kind == kindSpool {
			found = append(found, c)
		}
		if c.kind == kindTransform || c.kind == kindSpool {
			found = append(found, collectors(c)...)
		}
	}
	return found
}

// list reads the pages of one list.
func (m *model) list(n *node, of string, s sight, depth int) error {
	el, c := "", ""
	if n.loops {
		el = s.items[0]
	}
	if n.sends != "" {
		if c = s.context[n.sends]; c == "" {
			c = "none"
		}
	}
	key, name := provider.ListKey(of, el, c), resourceOf(n)
	pages := m.lists(n, key, depth)
	back, circles := m.trial.Provider.Resources[name].LoopTo[key]
	for p, read := 0, 0; p < len(pages); p++ {
		if circles && m.most > 0 && read == m.most {
			return m.fail(name, "cursor_loop")
		}
		m.asked = append(m.asked, asked{n, key, p})
		if code := m.rejected(n, key, p); code != "" {
			return m.fail(name, code)
		}
		read++
		m.count(name).Pages++
		m.count(name).Fetched += len(pages[p])
		if len(pages[p]) > 0 {
			if err := m.batchAndBelow(n, pages[p], s, depth); err != nil {
				return err
			}
		}
		if circles && m.most > 0 && p == len(pages)-1 {
			p = back - 1
		}
	}
	return nil
}

// rejected returns the code of the error that a page ends with for good.
func (m *model) rejected(n *node, key string, page int) string {
	id := key + resourceOf(n) + " " + strconv.Itoa(page)
	if most := m.trial.Provider.ExpireAfter; most > 0 && !m.pages[id] && len(m.pages) >= most {
		return "http_401"
	}
	m.pages[id] = true
	for _, f := range m.trial.Provider.Resources[resourceOf(n)].Faults {
		if f.List == key && f.Page == page && f.Times == 0 {
			return codeOf(f)
		}
	}
	return ""
}

func (s sight) with(name, value string) sight {
	added := maps.Clone(s.context)
	if added == nil {
		added = map[string]string{}
	}
	added[name] = value
	s.context = added
	return s
}
