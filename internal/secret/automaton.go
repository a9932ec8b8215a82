package secret

// automaton finds patterns in a text in one pass, whatever the text: it is that of Aho and Corasick, with the transitions
// of a node as a list of its children, because a secret rarely shares more than its beginning with another.
type automaton struct {
	nodes []state
	wide  map[int32]*[256]int32 // children by byte, of nodes that have many
}

// state is a node of the automaton; 0 is the root, and no node has it as a child.
type state struct {
	label          byte
	child, sibling int32
	fail           int32 // the longest proper suffix that is a node
	ends           int32 // this node or the nearest of its suffixes at which a pattern ends; 0: none
	length         int32 // of the path to this node
	head, tail     uint8 // characters beside the match that show a part of the secret
	final, wide    bool
}

// wideFrom is the number of children from which a table replaces the list.
const wideFrom = 8

func newAutomaton() *automaton { return &automaton{nodes: make([]state, 1, 256)} }

func (a *automaton) empty() bool { return len(a.nodes) == 1 }

func (a *automaton) add(pattern []byte, head, tail uint8) {
	at := int32(0)
	for i, b := range pattern {
		next := a.next(at, b)
		if next == 0 {
			next = int32(len(a.nodes)) //nolint:gosec // bounded by the size of all patterns
			a.nodes = append(a.nodes, state{label: b, sibling: a.nodes[at].child, length: int32(i + 1)})
			a.nodes[at].child = next
		}
		at = next
	}
	n := &a.nodes[at]
	n.head, n.tail, n.final = max(n.head, head), max(n.tail, tail), true
}

// next returns the child of a node, 0 when it has none.
func (a *automaton) next(at int32, b byte) int32 {
	if a.nodes[at].wide {
		return a.wide[at][b]
	}
	n := a.nodes[at].child
	for n != 0 && a.nodes[n].label != b {
		n = a.nodes[n].sibling
	}
	return n
}

// link computes where the search goes on after a mismatch. The tables come last: they are for searching.
func (a *automaton) link() {
	queue := make([]int32, 0, len(a.nodes))
	for n := a.nodes[0].child; n != 0; n = a.nodes[n].sibling {
		queue = append(queue, n)
	}
	for i := 0; i < len(queue); i++ {
		at := queue[i]
		for n := a.nodes[at].child; n != 0; n = a.nodes[n].sibling {
			a.nodes[n].fail = a.step(a.nodes[at].fail, a.nodes[n].label)
			queue = append(queue, n)
		}
		a.nodes[at].ends = a.nodes[a.nodes[at].fail].ends
		if a.nodes[at].final {
			a.nodes[at].ends = at
		}
	}
	a.widen()
}

func (a *automaton) widen() {
	a.wide = map[int32]*[256]int32{}
	for i := range a.nodes {
		at, count := int32(i), 0
		for n := a.nodes[at].child; n != 0; n = a.nodes[n].sibling {
			count++
		}
		if count < wideFrom && at != 0 {
			continue
		}
		table := &[256]int32{}
		for n := a.nodes[at].child; n != 0; n = a.nodes[n].sibling {
			table[a.nodes[n].label] = n
		}
		a.wide[at], a.nodes[at].wide = table, true
	}
}

// step follows one byte from a node.
func (a *automaton) step(at int32, b byte) int32 {
	for {
		if n := a.next(at, b); n != 0 {
			return n
		}
		if at == 0 {
			return 0
		}
		at = a.nodes[at].fail
	}
}

// find calls found with the longest pattern that ends behind each byte of the text.
func (a *automaton) find(text []byte, found func(start, end int, head, tail uint8)) {
	if a.empty() {
		return
	}
	root, at := a.wide[0], int32(0)
	for i, b := range text {
		if at == 0 {
			if at = root[b]; at == 0 {
				continue
			}
		} else {
			at = a.step(at, b)
		}
		if end := a.nodes[at].ends; end != 0 {
			n := &a.nodes[end]
			found(i+1-int(n.length), i+1, n.head, n.tail)
		}
	}
}
