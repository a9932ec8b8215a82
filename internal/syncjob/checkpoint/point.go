package checkpoint

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// Point is where a run stands. It is everything a slice needs to go on, besides the run's row and its frozen
// deliveries. It refers to at most one page for each request that is under way, and to what spools have collected; what is
// long of that is kept in parts beside it.
type Point struct {
	Started   bool                 `json:"started,omitempty"` // the stack was set up
	Stack     []*Frame             `json:"stack,omitempty"`   // from the root to what is being done
	Parts     int64                `json:"parts,omitempty"`   // the last number that a part was given
	Worked    time.Duration        `json:"worked,omitempty"`  // that slices have worked on the run before this one
	Previous  string               `json:"previous_run_date,omitempty"`
	NotBefore millrace.Time        `json:"not_before,omitempty"` // no fetch before
	Attempt   int64                `json:"attempt,omitempty"`    // how often the request on top has failed
	Limited   int64                `json:"limited,omitempty"`    // how often it was rate limited
	Turn      bool                 `json:"turn,omitempty"`       // NotBefore is the turn of the request on top
	Why       string               `json:"why,omitempty"`        // why nothing is fetched before NotBefore
	AuthSince millrace.Time        `json:"auth_since,omitempty"` // since when the request on top waits for its account to be connected again
	Logged    int64                `json:"logged,omitempty"`     // lines of the log
	Debugged  int64                `json:"debugged,omitempty"`   // those of them that debug asked for
	Parks     int64                `json:"parks,omitempty"`      // how often the delivery in front has failed
	Errors    []json.RawMessage    `json:"errors,omitempty"`     // error_handling batch: not sent yet
	Failing   *millrace.RunError   `json:"failing,omitempty"`    // the run fails once its error events are walked
	Failed    int64                `json:"failed,omitempty"`     // requests, expressions and destinations that failed
	First     *millrace.FirstError `json:"first,omitempty"`      // the first of them
	Fetched   bool                 `json:"fetched,omitempty"`    // a request of the root, or of below it, has brought a page
	Completed millrace.Time        `json:"completed,omitempty"`  // when its complete events began
	Gone      []millrace.WebhookID `json:"gone,omitempty"`       // webhooks that will never respond
	Final     *Final               `json:"final,omitempty"`      // the last delivery is frozen
}

// Final is what the run becomes when its last delivery is done.
type Final struct {
	Status     millrace.RunStatus `json:"status"`
	FinishedAt millrace.Time      `json:"finished_at"`
	Error      json.RawMessage    `json:"error,omitempty"`
}

// Frame is one level of the walk: a request that is fetched page by page, or records that are visited one by one.
type Frame struct {
	Call *CallFrame `json:"call,omitempty"`
	Walk *WalkFrame `json:"walk,omitempty"`
}

// CallFrame is a request under way.
type CallFrame struct {
	Call
	Account  millrace.IntegratedAccountID `json:"account,omitempty"`  // that was asked last
	Depth    int64                        `json:"depth,omitempty"`    // of recursion; 0: called by its parent
	Elements *Values                      `json:"elements,omitempty"` // what the loop runs over; nil: no loop
	Element  int                          `json:"element,omitempty"`
	Cursor   json.RawMessage              `json:"cursor,omitempty"` // of the next page
	Page     int64                        `json:"page,omitempty"`   // pages fetched for the element
	Seen     int64                        `json:"seen,omitempty"`   // records on these pages
	Ended    bool                         `json:"ended,omitempty"`  // the element has no more pages
	Loop     LoopMark                     `json:"loop,omitzero"`
	Spools   map[string]Collection        `json:"spools,omitempty"` // batches collected so far; an emptied one is nil
	Failed   bool                         `json:"failed,omitempty"` // something failed in it, or below one of its records
}

// Call names a request to be made, and what a recursion changes about it.
type Call struct {
	Node    string          `json:"node"`
	Overlay json.RawMessage `json:"overlay,omitempty"`
}

// WalkFrame visits the records of one page, and of what was made from it.
type WalkFrame struct {
	Parts   []Part          `json:"parts"`
	Part    int             `json:"part,omitempty"`
	Record  int             `json:"record,omitempty"`
	Entered bool            `json:"entered,omitempty"` // the record's context and calls are known
	Context json.RawMessage `json:"context,omitempty"` // what add_context nodes returned for the record
	Calls   []Call          `json:"calls,omitempty"`   // requests to make for the record
	Call    int             `json:"call,omitempty"`    // the next of them

	Added *jsonata.Object `json:"-"` // Context, decoded
}

// Part is a batch whose records are visited. That of a virtual node has one record that is nothing.
type Part struct {
	Node    string  `json:"node"`
	Records *Values `json:"records"`
}

// Read decodes a checkpoint. A run that was never worked on has none.
func Read(raw json.RawMessage) (*Point, error) {
	c := &Point{}
	if len(raw) == 0 || string(raw) == "null" {
		return c, nil
	}
	if err := json.Unmarshal(raw, c); err != nil {
		return nil, fmt.Errorf("decode checkpoint: %w", err)
	}
	for _, f := range c.Stack {
		if f.Walk != nil && len(f.Walk.Context) > 0 {
			f.Walk.Added = jsonata.NewObject(4)
			if err := expr.SetMembers(f.Walk.Added, f.Walk.Context); err != nil {
				return nil, fmt.Errorf("decode checkpoint: %w", err)
			}
		}
	}
	return c, nil
}

// Fail counts a failure. The requests that are under way have failed with it.
func (c *Point) Fail(e millrace.FirstError) {
	c.Failed++
	if c.First == nil {
		c.First = &e
	}
	for _, f := range c.Stack {
		if f.Call != nil {
			f.Call.Failed = true
		}
	}
}

// Moment returns the node that stands lowest in the stack, which is the root or an event; empty: the stack is.
func (c *Point) Moment() string {
	if len(c.Stack) == 0 || c.Stack[0].Walk == nil || c.Stack[0].Walk.Done() {
		return ""
	}
	return c.Stack[0].Walk.Parts[c.Stack[0].Walk.Part].Node
}

// Wait puts off the next fetch, and says why.
func (c *Point) Wait(notBefore millrace.Time, why string) {
	c.NotBefore, c.Why, c.Turn = notBefore, why, false
}

// Settle forgets the failed tries of the request on top.
func (c *Point) Settle() {
	c.Wait(0, "")
	c.Attempt, c.Limited, c.AuthSince = 0, 0, 0
}

// IsGone reports whether a webhook will never respond.
func (c *Point) IsGone(id millrace.WebhookID) bool { return slices.Contains(c.Gone, id) }

// Top returns the frame that is worked on.
func (c *Point) Top() *Frame { return c.Stack[len(c.Stack)-1] }

// Push begins a frame on top.
func (c *Point) Push(f *Frame) { c.Stack = append(c.Stack, f) }

// Pop ends the frame on top.
func (c *Point) Pop() { c.Stack = c.Stack[:len(c.Stack)-1] }

// SetContext keeps what add_context nodes returned for the current record.
func (w *WalkFrame) SetContext(added *jsonata.Object) error {
	w.Added, w.Context = added, nil
	if added == nil || added.Len() == 0 {
		w.Added = nil
		return nil
	}
	raw, err := jsonata.ToJSON(added)
	if err != nil {
		return fmt.Errorf("encode context: %w", err)
	}
	w.Context = raw
	return nil
}

// Next moves to the next record.
func (w *WalkFrame) Next() {
	w.Record++
	w.Entered, w.Calls, w.Call = false, nil, 0
	w.Added, w.Context = nil, nil
	for w.Part < len(w.Parts) && w.Record >= len(w.Parts[w.Part].Records.Items) {
		w.Part++
		w.Record = 0
	}
}

// Done reports whether all records were visited.
func (w *WalkFrame) Done() bool { return w.Part >= len(w.Parts) }

// NextElement moves to the next element of the loop.
func (c *CallFrame) NextElement() {
	c.Element++
	c.Cursor, c.Page, c.Seen, c.Ended, c.Loop = nil, 0, 0, false, LoopMark{}
}

// Keep remembers what a spool has collected.
func (c *CallFrame) Keep(spool string, collected Collection) {
	if c.Spools == nil {
		c.Spools = map[string]Collection{}
	}
	c.Spools[spool] = collected
}

// Done reports whether all pages of all elements were fetched.
func (c *CallFrame) Done() bool {
	if c.Elements == nil {
		return c.Element > 0
	}
	return c.Element >= len(c.Elements.Items)
}

// Nearest returns the request that the top of a stack belongs to, or nil.
func Nearest(stack []*Frame) *CallFrame {
	for _, f := range slices.Backward(stack) {
		if f.Call != nil {
			return f.Call
		}
	}
	return nil
}

// Owner returns the request whose spools collect what comes of the top of a stack: the nearest one, or the one that
// it is a recursion of.
func Owner(stack []*Frame) *CallFrame {
	owner := Nearest(stack)
	for _, f := range slices.Backward(stack) {
		if c := f.Call; c != nil && c.Node == owner.Node && c.Depth < owner.Depth {
			owner = c
		}
	}
	return owner
}
