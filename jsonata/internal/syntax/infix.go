package syntax

import "strings"

// infix parses what follows the operator tok, whose left side is left.
func (p *parser) infix(tok token, left *Node) (*Node, error) {
	n := &Node{Kind: Binary, Pos: tok.pos, Text: tok.text, Left: left}
	err := p.node(tok.pos)
	if err != nil {
		return nil, err
	}
	switch tok.text {
	case "(":
		return p.call(n)
	case "[":
		return p.filter(n)
	case "^":
		return n, p.order(n)
	case "{":
		n.Kind = opGroup
		n.Pairs, err = p.pairs()
	case ".":
		n.Kind = opDot
		n.Right, err = p.expression(75)
	case "@", "#":
		return n, p.bindStep(n)
	case ":=":
		n.Kind = Bind
		if left.Kind != Variable {
			return nil, &Error{Code: "S0212", Pos: left.Pos, Token: left.Text}
		}
		n.Text = left.Text
		n.Right, err = p.expression(9)
	case "?":
		return n, p.condition(n)
	case "?:":
		n.Kind = Default
		n.Right, err = p.expression(0)
	case "??":
		n.Kind = Coalesce
		n.Right, err = p.expression(0)
	case "~>":
		n.Kind = Apply
		n.Right, err = p.expression(40)
	default:
		n.Right, err = p.expression(tok.power())
	}
	return n, err
}

func (p *parser) call(n *Node) (*Node, error) {
	n.Kind = Call
	err := p.list(")", func() error {
		if p.tok.is("?") {
			n.Kind = Partial
			n.List = append(n.List, &Node{Kind: Placeholder, Pos: p.tok.pos, Text: "?"})
			if err := p.node(p.tok.pos); err != nil {
				return err
			}
			return p.advance("?", false)
		}
		arg, err := p.expression(0)
		n.List = append(n.List, arg)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := p.advance(")", true); err != nil {
		return nil, err
	}
	if n.Left.Kind == Name && (n.Left.Text == "function" || n.Left.Text == "λ") {
		return n, p.lambda(n)
	}
	return n, nil
}

// lambda turns the call n of "function" into a function definition.
func (p *parser) lambda(n *Node) error {
	n.Kind, n.Left = Lambda, nil
	for _, arg := range n.List {
		if arg.Kind != Variable {
			return &Error{Code: "S0208", Pos: arg.Pos, Token: arg.Text}
		}
		n.Params = append(n.Params, arg.Text)
	}
	n.List = nil
	if p.tok.is("<") {
		if err := p.signature(n); err != nil {
			return err
		}
	}
	if err := p.advance("{", false); err != nil {
		return err
	}
	var err error
	if n.Right, err = p.expression(0); err != nil {
		return err
	}
	return p.advance("}", false)
}

func (p *parser) signature(n *Node) error {
	start := p.tok.pos
	var text strings.Builder
	text.WriteByte('<')
	for depth := 1; depth > 0 && !p.tok.is("{") && p.tok.kind != tokEnd; {
		if err := p.advance("", false); err != nil {
			return err
		}
		switch {
		case p.tok.is(">"):
			depth--
		case p.tok.is("<"):
			depth++
		}
		text.WriteString(p.tok.text)
	}
	if err := p.advance(">", false); err != nil {
		return err
	}
	sig, err := ParseSignature(text.String())
	if e, ok := err.(*Error); ok { //nolint:errorlint // ParseSignature does not wrap its errors
		e.Pos += start
		return e
	}
	n.Sig = sig
	return err
}

// filter parses a predicate or the empty brackets that keep an array.
func (p *parser) filter(n *Node) (*Node, error) {
	if p.tok.is("]") {
		step := n.Left
		for step.Kind == opFilter {
			step = step.Left
		}
		step.KeepArray = true
		return n.Left, p.advance("]", false)
	}
	n.Kind = opFilter
	var err error
	if n.Right, err = p.expression(0); err != nil {
		return nil, err
	}
	return n, p.advance("]", true)
}

func (p *parser) order(n *Node) error {
	n.Kind = opOrder
	if err := p.advance("(", false); err != nil {
		return err
	}
	for {
		term := Term{Descending: p.tok.is(">")}
		if p.tok.is("<") || p.tok.is(">") {
			if err := p.advance("", false); err != nil {
				return err
			}
		}
		var err error
		if term.Expr, err = p.expression(0); err != nil {
			return err
		}
		n.Terms = append(n.Terms, term)
		if !p.tok.is(",") {
			return p.advance(")", false)
		}
		if err := p.advance(",", false); err != nil {
			return err
		}
	}
}

func (p *parser) bindStep(n *Node) error {
	n.Kind = opFocus
	if n.Text == "#" {
		n.Kind = opIndex
	}
	var err error
	if n.Right, err = p.expression(80); err != nil {
		return err
	}
	if n.Right.Kind != Variable {
		return &Error{Code: "S0214", Pos: n.Right.Pos, Token: n.Text}
	}
	return nil
}

func (p *parser) condition(n *Node) error {
	n.Kind = Condition
	var err error
	if n.Right, err = p.expression(0); err != nil || !p.tok.is(":") {
		return err
	}
	if err = p.advance(":", false); err != nil {
		return err
	}
	n.Else, err = p.expression(0)
	return err
}
