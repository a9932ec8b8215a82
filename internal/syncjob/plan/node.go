package plan

import (
	"strings"

	"github.com/millrace/millrace/internal/expr"
)

// NodeType is what a node does.
type NodeType string

// The types of nodes.
const (
	TypeRequest     NodeType = "request"      // fetches pages
	TypeTransform   NodeType = "transform"    // replaces a batch of records
	typeSpool       NodeType = "spool"        // collects the batches of its request
	typeAddContext  NodeType = "add_context"  // adds names to the scope of a record
	typeDestination NodeType = "destination"  // sends batches
	TypeEvent       NodeType = "event"        // a moment of the run that other nodes depend on
	TypeGetState    NodeType = "get_state"    // reads an entry of the state of runs
	TypeUpdateState NodeType = "update_state" // writes one
	typeDeleteState NodeType = "delete_state" // deletes one

	// typeRoot is above the nodes that depend on nothing. It is never written in a job.
	typeRoot NodeType = ""
)

// nodeTypes returns the types that a job may name.
func nodeTypes() []string {
	return []string{
		string(TypeRequest), string(TypeTransform), string(typeSpool), string(typeAddContext), string(typeDestination),
		string(TypeEvent), string(TypeGetState), string(TypeUpdateState), string(typeDeleteState),
	}
}

// The moments that event nodes name.
const (
	momentStart    = "start"
	momentComplete = "complete"
	momentError    = "error"
)

// Node is one element of a graph, compiled. It is immutable once its graph is built.
type Node struct {
	Name  string
	At    string // resources[2], for the position of errors
	Kind  NodeType
	RunIf *expr.Program
	Debug bool // what its expression gets and returns goes to the log

	Request     *Request      // request
	Program     *expr.Program // transform, add_context; of a destination what it makes of a batch, nil: it stays unchanged
	moment      string        // event
	Destination *Destination  // destination
	State       *State        // get_state, update_state, delete_state

	parent *Node
	origin *Node   // the request whose records flow here: itself, or the nearest one above
	Batch  []*Node // children that take a whole batch: transforms and spools
	Record []*Node // children that run once for each record: add_context and get_state first, so that requests see what they add
	Sinks  []*Node // destinations of its output
	Spools []*Node // of a request: the spools that collect its batches, upper ones first
}

// Request is what a request node asks for.
type Request struct {
	Resource string
	Method   string
	path     []string // where its records live below resources in the scope
	Account  *Argument
	ID       *Argument
	Query    *Argument
	Body     *Argument
	Loop     *LoopPath
	Recurse  *Recursion
}

// Recursion repeats a request for the records that fulfil a condition.
type Recursion struct {
	condition *expr.Template
	Config    *Argument // merged over the request's own id, query and body; nil: nothing to merge
}

// Destination says where a destination sends.
type Destination struct {
	Webhook *Argument // nil: the run's own
	names   []string  // resources_to_persist
}

// Completes reports whether n is the moment in which a run is complete.
func (n *Node) Completes() bool { return n.Kind == TypeEvent && n.moment == momentComplete }

// Walked reports whether the records of a batch at n must be visited one by one.
func (n *Node) Walked() bool {
	return len(n.Record) > 0 || (n.Request != nil && n.Request.Recurse != nil)
}

// hasRecords reports whether n puts out records, which can be sent.
func (n *Node) hasRecords() bool {
	return n.Kind == TypeRequest || n.Kind == TypeTransform || n.Kind == typeSpool
}

// Virtual reports whether n stands for a moment of the run and has no records.
func (n *Node) Virtual() bool { return n.Kind == typeRoot || n.Kind == TypeEvent }

// AddsContext reports whether n adds to the scope of the record that it runs for.
func (n *Node) AddsContext() bool { return n.Kind == typeAddContext || n.Kind == TypeGetState }

// Acts reports whether n changes the state and lets the record that it runs for through to what is below it.
func (n *Node) Acts() bool { return n.Kind == TypeUpdateState || n.Kind == typeDeleteState }

// Bare reports whether n runs for a moment of the run and not for a record.
func (n *Node) Bare() bool {
	for n.AddsContext() || n.Acts() {
		n = n.parent
	}
	return n.Virtual()
}

// Resource returns the resource that records at n come from, for payloads and counters.
func (n *Node) Resource() string {
	if n.origin != nil {
		return n.origin.Request.Resource
	}
	return n.Name
}

// Method returns the method that fetched the records at n, and the node's type when none did.
func (n *Node) Method() string {
	if n.origin != nil {
		return n.origin.Request.Method
	}
	return string(n.Kind)
}

// resourcePath returns where the records of a resource live below resources: model/resource is two levels.
func resourcePath(resource string) []string {
	return strings.Split(resource, "/")
}
