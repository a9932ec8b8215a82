package syncjob

import (
	"strings"

	"github.com/millrace/millrace/internal/expr"
)

// nodeType is what a node does.
type nodeType string

const (
	typeRequest     nodeType = "request"      // fetches pages
	typeTransform   nodeType = "transform"    // replaces a batch of records
	typeSpool       nodeType = "spool"        // collects the batches of its request
	typeAddContext  nodeType = "add_context"  // adds names to the scope of a record
	typeDestination nodeType = "destination"  // sends batches
	typeEvent       nodeType = "event"        // a moment of the run that other nodes depend on
	typeGetState    nodeType = "get_state"    // reads an entry of the state of runs
	typeUpdateState nodeType = "update_state" // writes one
	typeDeleteState nodeType = "delete_state" // deletes one

	// typeRoot is above the nodes that depend on nothing. It is never written in a job.
	typeRoot nodeType = ""
)

// nodeTypes returns the types that a job may name.
func nodeTypes() []string {
	return []string{
		string(typeRequest), string(typeTransform), string(typeSpool), string(typeAddContext), string(typeDestination),
		string(typeEvent), string(typeGetState), string(typeUpdateState), string(typeDeleteState),
	}
}

// The moments that event nodes name.
const (
	momentStart    = "start"
	momentComplete = "complete"
	momentError    = "error"
)

// node is one element of a graph, compiled. It is immutable once its graph is built.
type node struct {
	name  string
	at    string // resources[2], for the position of errors
	kind  nodeType
	runIf *expr.Program
	debug bool // what its expression gets and returns goes to the log

	request     *requestPlan     // request
	program     *expr.Program    // transform, add_context
	moment      string           // event
	destination *destinationPlan // destination
	state       *statePlan       // get_state, update_state, delete_state

	parent *node
	origin *node   // the request whose records flow here: itself, or the nearest one above
	batch  []*node // children that take a whole batch: transforms and spools
	record []*node // children that run once for each record: add_context and get_state first, so that requests see what they add
	sinks  []*node // destinations of its output
	spools []*node // of a request: the spools that collect its batches, upper ones first
}

// requestPlan is what a request node asks for.
type requestPlan struct {
	resource string
	method   string
	path     []string // where its records live below resources in the scope
	account  *argument
	id       *argument
	query    *argument
	body     *argument
	loop     *loopPath
	recurse  *recursion
}

// recursion repeats a request for the records that fulfil a condition.
type recursion struct {
	condition *expr.Template
	config    *argument // merged over the request's own id, query and body; nil: nothing to merge
}

// destinationPlan says where a destination sends.
type destinationPlan struct {
	webhook *argument // nil: the run's own
	names   []string  // resources_to_persist
}

// walked reports whether the records of a batch at n must be visited one by one.
func (n *node) walked() bool {
	return len(n.record) > 0 || (n.request != nil && n.request.recurse != nil)
}

// hasRecords reports whether n puts out records, which can be sent.
func (n *node) hasRecords() bool {
	return n.kind == typeRequest || n.kind == typeTransform || n.kind == typeSpool
}

// virtual reports whether n stands for a moment of the run and has no records.
func (n *node) virtual() bool { return n.kind == typeRoot || n.kind == typeEvent }

// acts reports whether n changes the state and lets the record that it runs for through to what is below it.
func (n *node) acts() bool { return n.kind == typeUpdateState || n.kind == typeDeleteState }

// bare reports whether n runs for a moment of the run and not for a record.
func (n *node) bare() bool {
	for n.kind == typeAddContext || n.kind == typeGetState || n.acts() {
		n = n.parent
	}
	return n.virtual()
}

// resource returns the resource that records at n come from, for payloads and counters.
func (n *node) resource() string {
	if n.origin != nil {
		return n.origin.request.resource
	}
	return n.name
}

// method returns the method that fetched the records at n, and the node's type when none did.
func (n *node) method() string {
	if n.origin != nil {
		return n.origin.request.method
	}
	return string(n.kind)
}

// resourcePath returns where the records of a resource live below resources: model/resource is two levels.
func resourcePath(resource string) []string {
	return strings.Split(resource, "/")
}
