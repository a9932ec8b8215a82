// Package syntax turns the text of a JSONata expression into a tree.
//
// Parsing has two stages, as in every JSONata implementation. The parser proper
// (parse.go) knows precedence only; its tree has a node for every operator. The
// second stage (process.go, ancestor.go) flattens location paths into lists of
// steps, attaches predicates, order-by and variable bindings to the step they
// belong to, and finds out which step each parent operator % means.
package syntax

// Kind says what a node is.
type Kind uint8

// Kinds of nodes. Those after Sort occur in the first stage only.
const (
	Invalid     Kind = iota
	Path             // List: steps
	Binary           // Text: operator; Left, Right
	Negate           // Left
	Array            // List
	Object           // Pairs
	Name             // Text
	String           // Text
	Number           // Num
	Literal          // Text: true, false or null
	Wildcard         // *
	Descendant       // **
	Parent           // Slot
	Condition        // Left ? Right : Else
	Default          // Left ?: Right
	Coalesce         // Left ?? Right
	Block            // List
	Bind             // Text := Right
	Regex            // Text, Flags
	Call             // Left(List)
	Partial          // Left(List) with placeholders
	Placeholder      // ?
	Variable         // Text without the dollar sign
	Lambda           // Params, Sig, Right
	Apply            // Left ~> Right
	Transform        // |Left|Right, Else|
	Sort             // Terms
	opDot
	opFilter
	opGroup
	opOrder
	opFocus
	opIndex
	opEnd
	opOther
)

// Node is a node of the tree. Which fields mean something depends on Kind.
type Node struct {
	Kind          Kind
	KeepArray     bool // written with []
	KeepSingleton bool // a path with a step written with []
	Cons          bool // an array constructor that its path must not flatten
	TailCall      bool // a call in tail position of a lambda
	// Tuple marks a step after which the path carries variable bindings along with
	// each item, and a path whose bindings are used outside of it.
	Tuple bool

	Pos   int // byte offset in the source
	Text  string
	Flags string
	Num   float64

	Left, Right, Else *Node
	List              []*Node
	Pairs             []Pair
	Terms             []Term
	Params            []string
	Sig               *Signature

	// Predicates filter the value of the node; Stages do the same for a step, once
	// for each context item.
	Predicates []Stage
	Stages     []Stage
	Group      *Group

	Focus    string // @$focus
	Index    string // #$index
	Ancestor *Slot  // the binding for the item this step was evaluated on
	Slot     *Slot  // of a Parent: the binding to read

	seeking []*Slot // parents that no step has been found for yet
	depth   int
}

// Pair is a member of an object constructor or of a group-by clause.
type Pair struct{ Key, Value *Node }

// Term is one order-by term.
type Term struct {
	Expr       *Node
	Descending bool
}

// Group is a group-by clause.
type Group struct {
	Pairs []Pair
	Pos   int
}

// Stage is a predicate, or the binding of a position to a variable after one.
type Stage struct {
	Filter *Node  // nil for a position binding
	Index  string // the variable of a position binding
}

// Slot is the hidden variable that holds the parent a % operator means.
type Slot struct {
	Label string
	level int
}

// Error is a syntax error.
type Error struct {
	Code  string
	Pos   int
	Token string
	Value string
}

// Error returns the code and the token.
func (e *Error) Error() string { return e.Code + ": " + e.Token }
