package syntax

// processor does the second stage. It works on the nodes of the first stage in
// place, each of which it visits once.
type processor struct {
	labels   int
	searched int
}

func (pr *processor) process(n *Node) (*Node, error) {
	keep := n.KeepArray
	out, err := pr.dispatch(n)
	if err != nil {
		return nil, err
	}
	if keep {
		out.KeepArray = true
	}
	return out, nil
}

func (pr *processor) dispatch(n *Node) (*Node, error) {
	switch n.Kind { //nolint:exhaustive // the other kinds need nothing here
	case opDot:
		return pr.dot(n)
	case opFilter:
		return pr.filter(n)
	case opGroup:
		return pr.group(n)
	case opOrder:
		return pr.order(n)
	case opFocus:
		return pr.focus(n)
	case opIndex:
		return pr.index(n)
	case Name:
		return &Node{Kind: Path, Pos: n.Pos, List: []*Node{n}, KeepSingleton: n.KeepArray}, nil
	case Parent:
		n.Slot = pr.newSlot()
		return n, nil
	case Negate:
		return pr.negate(n)
	case Lambda:
		body, err := pr.process(n.Right)
		if err != nil {
			return nil, err
		}
		n.Right = body
		markTailCalls(body)
		return n, nil
	case Apply:
		if err := pr.children(&n.Left, &n.Right); err != nil {
			return nil, err
		}
		n.KeepArray = n.Left.KeepArray || n.Right.KeepArray
		return n, nil
	case Transform:
		return n, pr.children(&n.Left, &n.Right, &n.Else)
	case opEnd:
		return nil, &Error{Code: "S0207", Pos: n.Pos}
	}
	return n, pr.compound(n)
}

// compound processes a node that keeps its shape and through which the search
// for parents passes.
func (pr *processor) compound(n *Node) error {
	parts := []**Node{&n.Left, &n.Right, &n.Else}
	for i := range n.List {
		parts = append(parts, &n.List[i])
	}
	for i := range n.Pairs {
		parts = append(parts, &n.Pairs[i].Key, &n.Pairs[i].Value)
	}
	if err := pr.children(parts...); err != nil {
		return err
	}
	for _, part := range parts {
		if c := *part; c != nil {
			if part != &n.Left || n.Kind != Call && n.Kind != Partial {
				if err := pr.adoptParents(n, c); err != nil {
					return err
				}
			}
			if n.Kind == Block && (c.Cons || c.Kind == Path && c.List[0].Cons) {
				n.Cons = true
			}
		}
	}
	return nil
}

func (pr *processor) children(parts ...**Node) error {
	for _, part := range parts {
		if *part == nil {
			continue
		}
		c, err := pr.process(*part)
		if err != nil {
			return err
		}
		*part = c
	}
	return nil
}

func (pr *processor) negate(n *Node) (*Node, error) {
	e, err := pr.process(n.Left)
	if err != nil {
		return nil, err
	}
	if e.Kind == Number {
		e.Num = -e.Num
		e.Pos = n.Pos
		return e, nil
	}
	n.Left = e
	return n, pr.adoptParents(n, e)
}

// dot joins both sides of the map operator to one path.
func (pr *processor) dot(n *Node) (*Node, error) {
	if err := pr.children(&n.Left); err != nil {
		return nil, err
	}
	path := n.Left.path()
	if n.Left.Kind == Parent {
		path.seeking = []*Slot{n.Left.Slot}
	}
	if err := pr.children(&n.Right); err != nil {
		return nil, err
	}
	if rest := n.Right; rest.Kind == Path {
		path.List = append(path.List, rest.List...)
	} else {
		rest.Stages, rest.Predicates = append(rest.Stages, rest.Predicates...), nil
		path.List = append(path.List, rest)
	}
	for _, step := range path.List {
		switch step.Kind { //nolint:exhaustive // the other kinds need nothing here
		case Number, Literal:
			return nil, &Error{Code: "S0213", Pos: step.Pos, Token: step.Text, Value: step.Text}
		case String:
			step.Kind = Name
		}
		if step.KeepArray {
			path.KeepSingleton = true
		}
	}
	for _, step := range []*Node{path.List[0], path.List[len(path.List)-1]} {
		if step.Kind == Array {
			step.Cons = true
		}
	}
	return path, pr.resolve(path)
}

// path returns the node as a path. The predicates of an array constructor that is bound to a variable see the variable.
func (n *Node) path() *Node {
	if n.Kind == Path {
		return n
	}
	if n.Kind == Array && n.Focus != "" {
		n.Stages, n.Predicates = n.Predicates, nil
	}
	return &Node{Kind: Path, Pos: n.Pos, List: []*Node{n}}
}

// lastStep returns the last step of a path, and any other node unchanged.
func (n *Node) lastStep() *Node {
	if n.Kind == Path {
		return n.List[len(n.List)-1]
	}
	return n
}

func (pr *processor) filter(n *Node) (*Node, error) {
	if err := pr.children(&n.Left); err != nil {
		return nil, err
	}
	out, step := n.Left, n.Left.lastStep()
	if step.Group != nil {
		return nil, &Error{Code: "S0209", Pos: n.Pos}
	}
	if err := pr.children(&n.Right); err != nil {
		return nil, err
	}
	if predicate := n.Right; predicate.seeking != nil {
		for _, slot := range predicate.seeking {
			if slot.level != 1 {
				slot.level--
			} else if err := pr.seek(step, slot); err != nil {
				return nil, err
			}
		}
		if err := pr.adoptParents(step, predicate); err != nil {
			return nil, err
		}
	}
	stage := Stage{Filter: n.Right}
	if out.Kind == Path {
		step.Stages = append(step.Stages, stage)
	} else {
		step.Predicates = append(step.Predicates, stage)
	}
	return out, nil
}

func (pr *processor) group(n *Node) (*Node, error) {
	if err := pr.children(&n.Left); err != nil {
		return nil, err
	}
	out := n.Left
	if out.Group != nil {
		return nil, &Error{Code: "S0210", Pos: n.Pos}
	}
	for i := range n.Pairs {
		if err := pr.children(&n.Pairs[i].Key, &n.Pairs[i].Value); err != nil {
			return nil, err
		}
	}
	out.Group = &Group{Pairs: n.Pairs, Pos: n.Pos}
	return out, nil
}

func (pr *processor) order(n *Node) (*Node, error) {
	if err := pr.children(&n.Left); err != nil {
		return nil, err
	}
	out := n.Left.path()
	step := &Node{Kind: Sort, Pos: n.Pos, Terms: n.Terms}
	for i := range step.Terms {
		if err := pr.children(&step.Terms[i].Expr); err != nil {
			return nil, err
		}
		if err := pr.adoptParents(step, step.Terms[i].Expr); err != nil {
			return nil, err
		}
	}
	out.List = append(out.List, step)
	return out, pr.resolve(out)
}

func (pr *processor) focus(n *Node) (*Node, error) {
	if err := pr.children(&n.Left); err != nil {
		return nil, err
	}
	step := n.Left.lastStep()
	if step.Stages != nil || step.Predicates != nil {
		return nil, &Error{Code: "S0215", Pos: n.Pos}
	}
	if step.Kind == Sort {
		return nil, &Error{Code: "S0216", Pos: n.Pos}
	}
	if n.KeepArray {
		step.KeepArray = true
	}
	step.Focus, step.Tuple = n.Right.Text, true
	return n.Left, nil
}

func (pr *processor) index(n *Node) (*Node, error) {
	if err := pr.children(&n.Left); err != nil {
		return nil, err
	}
	out, step := n.Left, n.Left.lastStep()
	if out.Kind != Path {
		out = &Node{Kind: Path, Pos: out.Pos, List: []*Node{out}}
		step.Stages, step.Predicates = append(step.Stages, step.Predicates...), nil
	}
	if step.Stages == nil {
		step.Index = n.Right.Text
	} else {
		step.Stages = append(step.Stages, Stage{Index: n.Right.Text})
	}
	step.Tuple = true
	return out, nil
}

// markTailCalls marks the calls whose value is the value of a lambda's body, so
// that they need not grow the stack.
func markTailCalls(n *Node) {
	if len(n.Predicates) > 0 || n.Group != nil || n.KeepArray {
		return
	}
	switch n.Kind { //nolint:exhaustive // the other kinds need nothing here
	case Call:
		n.TailCall = true
	case Condition:
		markTailCalls(n.Right)
		if n.Else != nil {
			markTailCalls(n.Else)
		}
	case Default, Coalesce:
		markTailCalls(n.Right)
	case Block:
		if len(n.List) > 0 {
			markTailCalls(n.List[len(n.List)-1])
		}
	}
}
