package queue

import "github.com/millrace/millrace"

// sharedKinds returns the kinds of tasks that may take long, whose workers environments share.
func sharedKinds() []millrace.TaskKind {
	return []millrace.TaskKind{millrace.TaskMatch, millrace.TaskSlice, millrace.TaskPump}
}

// Workers returns how many workers there are for each kind of tasks that may take long.
func (q *Queue) Workers() map[millrace.TaskKind]int {
	out := map[millrace.TaskKind]int{}
	for kind, b := range q.bulkheads {
		out[kind] = b.capacity
	}
	return out
}

// Settings returns the shares in force, with their defaults.
func (q *Queue) Settings() Shares { return q.ledger.shares }
