package syntax

import "strconv"

// MaxNesting is how deep the tree of an expression may be. It keeps the passes
// over it, which are recursive, away from the end of the stack.
const MaxNesting = 2000

// MaxSource is how long a source may be, in bytes.
const MaxSource = 256 << 10

// MaxNodes is how many nodes the tree of an expression may have. A node and what it is compiled to take up to a kilobyte
// and a microsecond.
const MaxNodes = 16_000

// maxSearch bounds the search for the steps that parent operators mean, which may pass by each step for each operator.
const maxSearch = 500_000

// Codes of expressions that nest too deep or are too large.
const (
	CodeDepth = "D1011"
	CodeSize  = "L1004"
)

// tooLarge returns the error about an expression with more of something than it may have.
func tooLarge(limit int, of string, pos int) error {
	return &Error{Code: CodeSize, Pos: pos, Token: strconv.Itoa(limit) + " " + of}
}

// Parse returns the tree of an expression.
func Parse(src string) (*Node, error) {
	if len(src) > MaxSource {
		return nil, tooLarge(MaxSource, "bytes", MaxSource)
	}
	p := &parser{lex: lexer{src: src}}
	if err := p.advance("", false); err != nil {
		return nil, err
	}
	raw, err := p.expression(0)
	if err != nil {
		return nil, err
	}
	if p.tok.kind != tokEnd {
		return nil, p.unexpected("S0201", "")
	}
	pr := &processor{}
	n, err := pr.process(raw)
	if err != nil {
		return nil, err
	}
	if n.Kind == Parent || n.seeking != nil {
		return nil, &Error{Code: "S0217", Pos: n.Pos, Token: "%"}
	}
	return n, nil
}

// parser is a top-down operator precedence parser.
type parser struct {
	lex   lexer
	tok   token // the token that comes next
	depth int
	nodes int // so far
}

// node counts a node of the tree at pos.
func (p *parser) node(pos int) error {
	if p.nodes++; p.nodes > MaxNodes {
		return tooLarge(MaxNodes, "parts", pos)
	}
	return nil
}

// power is how strongly an operator binds what is left of it.
func (t *token) power() int {
	if t.kind != tokOperator {
		return 0
	}
	switch t.text {
	case "[", "(", "@", "#":
		return 80
	case ".":
		return 75
	case "{":
		return 70
	case "*", "/", "%":
		return 60
	case "+", "-", "&":
		return 50
	case "=", "<", ">", "^", "!=", "<=", ">=", "~>", "?:", "??", "in":
		return 40
	case "and":
		return 30
	case "or":
		return 25
	case "?":
		return 20
	case ":=":
		return 10
	}
	return 0
}

func (t *token) is(op string) bool { return t.kind == tokOperator && t.text == op }

func (p *parser) unexpected(code, want string) error {
	return &Error{Code: code, Pos: p.tok.pos, Token: p.tok.text, Value: want}
}

// advance reads the next token. The current one must be the operator want unless
// want is empty.
func (p *parser) advance(want string, infix bool) error {
	if want != "" && !p.tok.is(want) {
		if p.tok.kind == tokEnd {
			return p.unexpected("S0203", want)
		}
		return p.unexpected("S0202", want)
	}
	tok, err := p.lex.next(infix)
	if err != nil {
		return err
	}
	if tok.kind == tokOperator && (tok.text == "!" || tok.text == "~") {
		return &Error{Code: "S0204", Pos: tok.pos, Token: tok.text}
	}
	p.tok = tok
	return nil
}

func (p *parser) expression(power int) (*Node, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > MaxNesting {
		return nil, p.unexpected(CodeDepth, "")
	}
	tok := p.tok
	if err := p.node(tok.pos); err != nil {
		return nil, err
	}
	if err := p.advance("", true); err != nil {
		return nil, err
	}
	left, err := p.prefix(tok)
	if err != nil {
		return nil, err
	}
	for power < p.tok.power() {
		tok = p.tok
		if err := p.advance("", false); err != nil {
			return nil, err
		}
		depth := left.depth + 1
		if left, err = p.infix(tok, left); err != nil {
			return nil, err
		}
		// A chain of operators is a tree that leans left, as deep as the chain is long.
		if left.depth = max(left.depth, depth); depth > MaxNesting {
			return nil, &Error{Code: CodeDepth, Pos: tok.pos, Token: tok.text}
		}
	}
	return left, nil
}

// prefix parses what begins with tok.
func (p *parser) prefix(tok token) (*Node, error) {
	n := &Node{Pos: tok.pos, Text: tok.text}
	switch tok.kind {
	case tokEnd:
		n.Kind = opEnd
	case tokName:
		n.Kind = Name
		return n, p.node(n.Pos) // it becomes a path of one step, which is a node as well
	case tokVariable:
		n.Kind = Variable
	case tokString:
		n.Kind = String
	case tokNumber:
		n.Kind, n.Num = Number, tok.num
	case tokLiteral:
		n.Kind = Literal
	case tokRegex:
		n.Kind, n.Flags = Regex, tok.flags
	case tokOperator:
		return p.prefixOperator(n)
	}
	return n, nil
}

func (p *parser) prefixOperator(n *Node) (*Node, error) {
	var err error
	switch n.Text {
	case "and", "or", "in": // names of fields where no operator is allowed
		n.Kind = Name
	case "-":
		n.Kind = Negate
		n.Left, err = p.expression(70)
	case "*":
		n.Kind = Wildcard
	case "**":
		n.Kind = Descendant
	case "%":
		n.Kind = Parent
	case "(":
		return n, p.block(n)
	case "[":
		return n, p.array(n)
	case "{":
		n.Kind = Object
		n.Pairs, err = p.pairs()
	case "|":
		return n, p.transform(n)
	default:
		return nil, &Error{Code: "S0211", Pos: n.Pos, Token: n.Text}
	}
	return n, err
}

func (p *parser) block(n *Node) error {
	n.Kind = Block
	for !p.tok.is(")") {
		e, err := p.expression(0)
		if err != nil {
			return err
		}
		n.List = append(n.List, e)
		if !p.tok.is(";") {
			break
		}
		if err := p.advance(";", false); err != nil {
			return err
		}
	}
	return p.advance(")", true)
}

func (p *parser) array(n *Node) error {
	n.Kind = Array
	err := p.list("]", func() error {
		item, err := p.expression(0)
		if err != nil {
			return err
		}
		if p.tok.is("..") {
			item = &Node{Kind: Binary, Text: "..", Pos: p.tok.pos, Left: item}
			if err := p.advance("..", false); err != nil {
				return err
			}
			if item.Right, err = p.expression(0); err != nil {
				return err
			}
		}
		n.List = append(n.List, item)
		return nil
	})
	if err != nil {
		return err
	}
	return p.advance("]", true)
}

// list calls item for each of the items before the closing bracket, which may
// be none.
func (p *parser) list(end string, item func() error) error {
	if p.tok.is(end) {
		return nil
	}
	for {
		if err := item(); err != nil {
			return err
		}
		if !p.tok.is(",") {
			return nil
		}
		if err := p.advance(",", false); err != nil {
			return err
		}
	}
}

func (p *parser) pairs() ([]Pair, error) {
	var pairs []Pair
	err := p.list("}", func() error {
		key, err := p.expression(0)
		if err != nil {
			return err
		}
		if err := p.advance(":", false); err != nil {
			return err
		}
		value, err := p.expression(0)
		pairs = append(pairs, Pair{key, value})
		return err
	})
	if err != nil {
		return nil, err
	}
	return pairs, p.advance("}", true)
}

func (p *parser) transform(n *Node) error {
	n.Kind = Transform
	var err error
	if n.Left, err = p.expression(0); err != nil {
		return err
	}
	if err = p.advance("|", false); err != nil {
		return err
	}
	if n.Right, err = p.expression(0); err != nil {
		return err
	}
	if p.tok.is(",") {
		if err = p.advance(",", false); err != nil {
			return err
		}
		if n.Else, err = p.expression(0); err != nil {
			return err
		}
	}
	return p.advance("|", false)
}
