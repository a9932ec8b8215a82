package memory

// What values take in memory once they are decoded, in bytes, with the room that growing lists leave behind them.
const (
	costObject  = 72 // the header, and the slot that refers to it
	costArray   = 72
	costElement = 40  // of an array
	costMember  = 48  // of an object: key and slot
	costIndexed = 96  // more for a member of an object that has an index
	costText    = 16  // the header; the text is shared
	costTag     = 256 // of XML, where every element is an object of its own or a text
	costAttr    = 96
)

// indexFrom is the number of members from which an object has an index.
const indexFrom = 16

// maxOpen bounds how many open containers a meter remembers; what is deeper counts as indexed.
const maxOpen = 256

// Meter estimates what a document will take when it is decoded, while its text is written to it. It takes any text and
// never fails: a document that is not JSON or XML costs what its brackets suggest.
type Meter struct {
	values  int64
	size    int64
	text    int64
	started bool
	xml     bool
	quoted  bool
	escaped bool
	open    []uint32 // members so far of each open object, 0 for arrays
	depth   int
	last    byte // the last character outside of texts that is not a space
}

// Values returns how many values the document has so far.
func (m *Meter) Values() int64 { return m.values }

// Text returns how long the text is so far.
func (m *Meter) Text() int64 { return m.text }

// Size returns what the values so far will take, beside the text.
func (m *Meter) Size() int64 { return m.size }

// Write looks at the next part of the text.
func (m *Meter) Write(p []byte) (int, error) {
	m.text += int64(len(p))
	n := len(p)
	if !m.started {
		p = m.start(p)
	}
	if m.xml {
		m.writeXML(p)
		return n, nil
	}
	for i := 0; i < len(p); i++ {
		c := p[i]
		if m.quoted {
			i = m.inText(p, i)
			continue
		}
		if c > ' ' {
			m.outside(c)
			m.last = c
		}
	}
	return n, nil
}

// start finds out whether a document is XML.
func (m *Meter) start(p []byte) []byte {
	for i, c := range p {
		switch c {
		case ' ', '\t', '\r', '\n', 0xef, 0xbb, 0xbf: // and a byte order mark
		default:
			m.started, m.xml = true, c == '<'
			return p[i:]
		}
	}
	return nil
}

// inText goes to the end of a quoted text, or of what there is of it, and returns where that is.
func (m *Meter) inText(p []byte, i int) int {
	for ; i < len(p); i++ {
		switch {
		case m.escaped:
			m.escaped = false
		case p[i] == '\\':
			m.escaped = true
		case p[i] == '"':
			m.quoted = false
			return i
		}
	}
	return i
}

func (m *Meter) outside(c byte) {
	switch c {
	case '{':
		m.enter(1)
		m.size += costObject
	case '[':
		m.enter(0)
		m.size += costArray
	case '}', ']':
		if m.last != '{' && m.last != '[' && m.last != ',' {
			m.element()
		}
		m.depth = max(m.depth-1, 0)
	case ',':
		m.element()
	case ':':
		m.size += costMember
	case '"':
		m.quoted = true
		m.size += costText
	}
}

// enter opens a container; members of an object are counted from 1.
func (m *Meter) enter(first uint32) {
	if m.depth < maxOpen {
		m.open = append(m.open[:m.depth], first)
	}
	m.depth++
}

// element counts the element or member that has ended.
func (m *Meter) element() {
	m.values++
	at := m.depth - 1
	if at < 0 || at >= maxOpen {
		m.size += costIndexed
		return
	}
	if m.open[at] == 0 {
		m.size += costElement
		return
	}
	if m.open[at]++; m.open[at] > indexFrom {
		m.size += costIndexed
	}
}

func (m *Meter) writeXML(p []byte) {
	for _, c := range p {
		switch c {
		case '<':
			m.values++
			m.size += costTag / 2 // the end of an element has one, too
		case '=':
			m.size += costAttr
		}
	}
}

// Measure estimates what a document will take.
func Measure(text []byte) *Meter {
	m := &Meter{}
	_, _ = m.Write(text) // never fails
	return m
}
