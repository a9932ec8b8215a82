package queue

import (
	"maps"
	"slices"
	"sync"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// room is how the environments share the workers of one kind of task. An environment may have a part of what the others leave
// free, so that some workers are always left for one that comes. Its tasks beyond that wait in line, in a table, where they cost
// nothing; River only has what may be worked.
type room struct {
	kind     millrace.TaskKind
	capacity int
	percent  int // of what the others leave free, for each environment of the default weight
	weight   func(millrace.EnvironmentID) int64
	signal   chan struct{} // there may be space for tasks in line

	mu       sync.Mutex
	admitted int // tasks that River has, of all environments
	working  int
	jobs     map[int64]job  // which those are, by the id of River
	early    map[int64]bool // jobs that ended before the transaction that inserted them was noted here
	earliest []int64        // the same, the oldest first
	envs     map[millrace.EnvironmentID]*compartment
}

// job is a task that River has.
type job struct {
	env   millrace.EnvironmentID
	noted bool // that it was inserted
}

// compartment is what one environment has of a room.
type compartment struct {
	admitted, working int
	line              *line // nil: none of its tasks wait in line, as far as this process knows
}

// line remembers what the order of an environment's tasks in line depends on: accounts take turns. It is lost with the process,
// which costs some order and no task.
type line struct {
	added int64 // tasks so far, to notice new ones while others are taken
	now   int64 // the turn of the last task that was taken
	last  map[millrace.IntegratedAccountID]int64
}

const (
	maxAccounts = 10_000 // that a line remembers
	maxEarly    = 1024   // jobs that a room remembers
)

func newRoom(kind millrace.TaskKind, capacity, percent int, weight func(millrace.EnvironmentID) int64) *room {
	return &room{
		kind: kind, capacity: capacity, percent: percent, weight: weight, signal: make(chan struct{}, 1),
		jobs: map[int64]job{}, early: map[int64]bool{}, envs: map[millrace.EnvironmentID]*compartment{},
	}
}

// limit returns how many an environment may have when others have this many. Where all want more than there is, each gets what it
// weighs: an environment of twice the weight may have twice as many for each worker that stays free.
func (r *room) limit(env millrace.EnvironmentID, others int) int {
	return portion(r.capacity-others, r.percent, r.weight(env))
}

// portion returns how many of what is left an environment of a weight may have.
func portion(left, percent int, weight int64) int {
	part := int(weight) * percent
	all := part + millrace.DefaultWeight*(100-percent)
	return max(1, (left*part+all-1)/all)
}

// of is for who holds the lock.
func (r *room) of(env millrace.EnvironmentID) *compartment {
	c := r.envs[env]
	if c == nil {
		c = &compartment{}
		r.envs[env] = c
	}
	return c
}

// tidy is for who holds the lock.
func (r *room) tidy(env millrace.EnvironmentID) {
	if c := r.envs[env]; c != nil && c.admitted == 0 && c.working == 0 && c.line == nil {
		delete(r.envs, env)
	}
}

// enter takes a worker for a task. It reports false when the environment has as many as it may: then the task goes into the line.
func (r *room) enter(id int64, env millrace.EnvironmentID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.of(env)
	if c.working >= r.limit(env, r.working-c.working) {
		return false
	}
	r.count(id, env)
	c.working++
	r.working++
	return true
}

// leave gives back the worker of a task.
func (r *room) leave(env millrace.EnvironmentID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.envs[env].working--
	r.working--
	r.tidy(env)
}

// inserted notes that a transaction which gave a task to River has committed.
func (r *room) inserted(id int64, env millrace.EnvironmentID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.early[id] {
		return
	}
	r.count(id, env)
	r.jobs[id] = job{env, true}
}

// count is for who holds the lock.
func (r *room) count(id int64, env millrace.EnvironmentID) {
	if _, known := r.jobs[id]; known {
		return
	}
	r.jobs[id] = job{env: env}
	r.of(env).admitted++
	r.admitted++
}

// forget notes that River no longer has a task that may be worked now.
func (r *room) forget(ids ...int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		j, known := r.jobs[id]
		if !known {
			continue
		}
		delete(r.jobs, id)
		r.envs[j.env].admitted--
		r.admitted--
		r.tidy(j.env)
		if !j.noted {
			r.endedEarly(id)
		}
	}
	r.wake()
}

// endedEarly is for who holds the lock.
func (r *room) endedEarly(id int64) {
	if len(r.earliest) == maxEarly {
		delete(r.early, r.earliest[0])
		r.earliest = r.earliest[1:]
	}
	r.early[id] = true
	r.earliest = append(r.earliest, id)
}

// known returns the tasks that are counted, if any environment waits for them.
func (r *room) known() []int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.waits() {
		return nil
	}
	return slices.Collect(maps.Keys(r.jobs))
}

// wake and waits are for who holds the lock.
func (r *room) wake() {
	if !r.waits() {
		return
	}
	select {
	case r.signal <- struct{}{}:
	default:
	}
}

func (r *room) waits() bool {
	for _, c := range r.envs {
		if c.line != nil {
			return true
		}
	}
	return false
}

// found notes that tasks of an environment are in line.
func (r *room) found(env millrace.EnvironmentID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.of(env); c.line == nil {
		c.line = &line{last: map[millrace.IntegratedAccountID]int64{}}
	}
	r.wake()
}

// vacancy is an environment that may have more tasks than River has of it.
type vacancy struct {
	env   millrace.EnvironmentID
	tasks int
	added int64 // of its line, when it was looked at
}

// vacancies returns who may have tasks taken from the line. It waits for a quarter of what an environment may have, so that tasks
// are taken several at a time.
func (r *room) vacancies() []vacancy {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []vacancy
	for env, c := range r.envs {
		if c.line == nil {
			continue
		}
		limit := r.limit(env, r.admitted-c.admitted)
		if space := limit - c.admitted; space >= max(1, limit/4) {
			out = append(out, vacancy{env, space, c.line.added})
		}
	}
	return out
}

// taken notes which tasks left the line, and whether they were the last.
func (r *room) taken(v vacancy, turn int64, last bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.envs[v.env]
	if c == nil || c.line == nil {
		return
	}
	c.line.now = max(c.line.now, turn)
	if last && c.line.added == v.added {
		c.line = nil
		r.tidy(v.env)
	}
}

// admission decides, for the tasks of one transaction, which River gets at once and which wait in line. What it has decided
// counts for others when the transaction has committed.
type admission struct {
	rooms    map[millrace.TaskKind]*room
	leaving  *millrace.Task // the task whose handler runs, if it ends in this transaction
	admitted map[share]int
	waiting  map[share]*line // only added and last
	jobs     map[int64]share
}

// share is whose tasks are counted.
type share struct {
	kind millrace.TaskKind
	env  millrace.EnvironmentID
}

func (q *Queue) admission(tx *store.Tx, leaving *millrace.Task) *admission {
	a := &admission{
		rooms: q.rooms, leaving: leaving, admitted: map[share]int{}, waiting: map[share]*line{}, jobs: map[int64]share{},
	}
	tx.AfterCommit(a.commit)
	return a
}

// admit reports whether River gets a task at once.
func (a *admission) admit(t *millrace.Task) bool {
	r := a.rooms[t.Kind]
	if r == nil || t.Environment == "" {
		return true
	}
	s := share{t.Kind, t.Environment}
	r.mu.Lock()
	defer r.mu.Unlock()
	others, has := r.admitted, a.admitted[s]
	if c := r.envs[t.Environment]; c != nil {
		if c.line != nil {
			return false
		}
		others -= c.admitted
		has += c.admitted
	}
	if l := a.leaving; l != nil && l.Kind == t.Kind && l.Environment == t.Environment {
		has--
	}
	if a.waiting[s] != nil || has >= r.limit(t.Environment, others) {
		return false
	}
	a.admitted[s]++
	return true
}

// wait returns a task as it stands in line.
func (a *admission) wait(t *millrace.Task) store.WaitingTask {
	s := share{t.Kind, t.Environment}
	l := a.waiting[s]
	if l == nil {
		l = &line{last: map[millrace.IntegratedAccountID]int64{}}
		a.waiting[s] = l
	}
	l.added++
	turn := l.last[t.Account]
	r := a.rooms[t.Kind]
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.envs[t.Environment]; c != nil && c.line != nil {
		turn = max(turn, c.line.last[t.Account], c.line.now)
	}
	turn++
	l.last[t.Account] = turn
	return store.WaitingTask{Task: *t, Turn: turn}
}

// inserted notes a task that River has.
func (a *admission) inserted(t *millrace.Task, id int64) {
	if a.rooms[t.Kind] != nil && t.Environment != "" {
		a.jobs[id] = share{t.Kind, t.Environment}
	}
}

// commit counts what was decided.
func (a *admission) commit() {
	for id, s := range a.jobs {
		a.rooms[s.kind].inserted(id, s.env)
	}
	for s, added := range a.waiting {
		r := a.rooms[s.kind]
		r.mu.Lock()
		c := r.of(s.env)
		if c.line == nil {
			c.line = &line{last: map[millrace.IntegratedAccountID]int64{}}
		}
		c.line.added += added.added
		for account, turn := range added.last {
			c.line.last[account] = max(c.line.last[account], turn)
		}
		if len(c.line.last) > maxAccounts {
			clear(c.line.last)
		}
		r.wake()
		r.mu.Unlock()
	}
}

// Share is what one environment has of the workers of a kind in this process.
type Share struct {
	Kind        millrace.TaskKind
	Environment millrace.EnvironmentID
	Busy        int  // workers at its tasks now
	Waits       bool // tasks of it wait in line
}

// Shares returns who has workers or waits for them.
func (q *Queue) Shares() []Share {
	var out []Share
	for kind, r := range q.rooms {
		r.mu.Lock()
		for env, c := range r.envs {
			out = append(out, Share{kind, env, c.working, c.line != nil})
		}
		r.mu.Unlock()
	}
	return out
}

// Workers returns how many workers there are for each kind of task that environments share.
func (q *Queue) Workers() map[millrace.TaskKind]int {
	out := map[millrace.TaskKind]int{}
	for kind, r := range q.rooms {
		out[kind] = r.capacity
	}
	return out
}

// Percent returns the part of the workers that an environment may have, of those that the others leave free.
func (q *Queue) Percent(env millrace.EnvironmentID) int {
	return portion(100, q.percent, q.cfg.DB.Weight(env))
}

// sharedKinds returns the kinds of tasks whose workers environments share.
func sharedKinds() []millrace.TaskKind {
	return []millrace.TaskKind{
		millrace.TaskInbound, millrace.TaskMatch, millrace.TaskWorkflow, millrace.TaskConnect, millrace.TaskSlice, millrace.TaskPump, millrace.TaskRefresh,
		millrace.TaskAction, millrace.TaskDisconnect, millrace.TaskRedeliver,
	}
}
