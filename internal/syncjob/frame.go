package syncjob

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/jsonata"
)

// checkpoint is where a run stands. It is everything a slice needs to go on, besides the run's row and its frozen
// deliveries. It refers to at most one page for each request that is under way, and to what spools have collected; what is
// long of that is kept in parts beside it.
type checkpoint struct {
	Started   bool                 `json:"started,omitempty"` // the stack was set up
	Stack     []*frame             `json:"stack,omitempty"`   // from the root to what is being done
	Parts     int64                `json:"parts,omitempty"`   // the last number that a part was given
	Worked    time.Duration        `json:"worked,omitempty"`  // that slices have worked on the run before this one
	Previous  string               `json:"previous_run_date,omitempty"`
	NotBefore millrace.Time        `json:"not_before,omitempty"` // no fetch before
	Attempt   int64                `json:"attempt,omitempty"`    // how often the request on top has failed
	Limited   int64                `json:"limited,omitempty"`    // how often it was rate limited
	Turn      bool                 `json:"turn,omitempty"`       // NotBefore is the turn of the request on top
	Logged    int64                `json:"logged,omitempty"`     // lines of the log
	Debugged  int64                `json:"debugged,omitempty"`   // those of them that debug asked for
	Parks     int64                `json:"parks,omitempty"`      // how often the delivery in front has failed
	Errors    []json.RawMessage    `json:"errors,omitempty"`     // error_handling batch: not sent yet
	Failing   *millrace.RunError   `json:"failing,omitempty"`    // the run fails once its error events are walked
	Gone      []millrace.WebhookID `json:"gone,omitempty"`       // webhooks that will never answer
	Final     *final               `json:"final,omitempty"`      // the last delivery is frozen
}

// final is what the run becomes when its last delivery is answered.
type final struct {
	Status     millrace.RunStatus `json:"status"`
	FinishedAt millrace.Time      `json:"finished_at"`
	Error      json.RawMessage    `json:"error,omitempty"`
}

// frame is one level of the walk: a request that is fetched page by page, or records that are visited one by one.
type frame struct {
	Call *callFrame `json:"call,omitempty"`
	Walk *walkFrame `json:"walk,omitempty"`
}

// callFrame is a request under way.
type callFrame struct {
	call
	Account  millrace.IntegratedAccountID `json:"account,omitempty"`  // that was asked last
	Depth    int64                        `json:"depth,omitempty"`    // of recursion; 0: called by its parent
	Elements *values                      `json:"elements,omitempty"` // what the loop runs over; nil: no loop
	Element  int                          `json:"element,omitempty"`
	Cursor   json.RawMessage              `json:"cursor,omitempty"` // of the next page
	Page     int64                        `json:"page,omitempty"`   // pages fetched for the element
	Ended    bool                         `json:"ended,omitempty"`  // the element has no more pages
	Loop     loopMark                     `json:"loop,omitzero"`
	Spools   map[string]collection        `json:"spools,omitempty"` // batches collected so far; an emptied one is nil
}

// call names a request to be made, and what a recursion changes about it.
type call struct {
	Node    string          `json:"node"`
	Overlay json.RawMessage `json:"overlay,omitempty"`
}

// walkFrame visits the records of one page, and of what was made from it.
type walkFrame struct {
	Parts   []part          `json:"parts"`
	Part    int             `json:"part,omitempty"`
	Record  int             `json:"record,omitempty"`
	Entered bool            `json:"entered,omitempty"` // the record's context and calls are known
	Context json.RawMessage `json:"context,omitempty"` // what add_context nodes returned for the record
	Calls   []call          `json:"calls,omitempty"`   // requests to make for the record
	Call    int             `json:"call,omitempty"`    // the next of them

	context *jsonata.Object // Context, decoded
}

// part is a batch whose records are visited. That of a virtual node has one record that is nothing.
type part struct {
	Node    string  `json:"node"`
	Records *values `json:"records"`
}

// readCheckpoint decodes a checkpoint. A run that was never worked on has none.
func readCheckpoint(raw json.RawMessage) (*checkpoint, error) {
	c := &checkpoint{}
	if len(raw) == 0 || string(raw) == "null" {
		return c, nil
	}
	if err := json.Unmarshal(raw, c); err != nil {
		return nil, fmt.Errorf("decode checkpoint: %w", err)
	}
	for _, f := range c.Stack {
		if f.Walk != nil && len(f.Walk.Context) > 0 {
			f.Walk.context = jsonata.NewObject(4)
			if err := mergeJSON(f.Walk.context, f.Walk.Context); err != nil {
				return nil, fmt.Errorf("decode checkpoint: %w", err)
			}
		}
	}
	return c, nil
}

func (c *checkpoint) isGone(id millrace.WebhookID) bool { return slices.Contains(c.Gone, id) }

func (c *checkpoint) top() *frame { return c.Stack[len(c.Stack)-1] }

func (c *checkpoint) push(f *frame) { c.Stack = append(c.Stack, f) }

func (c *checkpoint) pop() { c.Stack = c.Stack[:len(c.Stack)-1] }

// setContext keeps what add_context nodes returned for the current record.
func (w *walkFrame) setContext(added *jsonata.Object) error {
	w.context, w.Context = added, nil
	if added == nil || added.Len() == 0 {
		w.context = nil
		return nil
	}
	raw, err := jsonata.ToJSON(added)
	if err != nil {
		return fmt.Errorf("encode context: %w", err)
	}
	w.Context = raw
	return nil
}

// next moves to the next record.
func (w *walkFrame) next() {
	w.Record++
	w.Entered, w.Calls, w.Call = false, nil, 0
	w.context, w.Context = nil, nil
	for w.Part < len(w.Parts) && w.Record >= len(w.Parts[w.Part].Records.items) {
		w.Part++
		w.Record = 0
	}
}

// done reports whether all records were visited.
func (w *walkFrame) done() bool { return w.Part >= len(w.Parts) }

// nextElement moves to the next element of the loop.
func (c *callFrame) nextElement() {
	c.Element++
	c.Cursor, c.Page, c.Ended, c.Loop = nil, 0, false, loopMark{}
}

// keep remembers what a spool has collected.
func (c *callFrame) keep(spool string, collected collection) {
	if c.Spools == nil {
		c.Spools = map[string]collection{}
	}
	c.Spools[spool] = collected
}

// done reports whether all pages of all elements were fetched.
func (c *callFrame) done() bool {
	if c.Elements == nil {
		return c.Element > 0
	}
	return c.Element >= len(c.Elements.items)
}
