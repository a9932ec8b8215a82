package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// Handler does what a task says. It may be called again for a task that it has done before.
type Handler func(ctx context.Context, task millrace.Task) error

// Config says what to run.
type Config struct {
	DB       *store.DB
	Logger   *slog.Logger
	Handlers map[millrace.TaskKind]Handler // a kind without a handler is inserted but not worked here
	Workers  map[millrace.TaskKind]int     // how many tasks of a kind run at once; absent: a default
	Node     string                        // names this process among those that share the database; empty: a random name
	Keys     []string                      // names of the encryption keys that this process has, sent with its heartbeats
	Previous []string                      // processes that are known to be dead: what they left runs again at once
	Percent  int                           // of the workers that the others leave free, for one environment; 0: 50
}

// The times that recovery after a crash depends on.
const (
	jobTimeout   = 30 * time.Second
	rescueAfter  = 35 * time.Second
	reconcilePer = time.Minute
	pruneEvery   = time.Hour
	keepDone     = 5 * time.Minute
	keepFailed   = 24 * time.Hour
	maxAttempts  = 1000 // ends are decided by the rows; a task is only given up for good by millrace.Permanent
)

// Queue inserts tasks into a store's transactions and runs them.
type Queue struct {
	cfg     Config
	engine  engine
	node    string
	atWork  atWork
	ended   ended
	percent int
	rooms   map[millrace.TaskKind]*room // of the kinds whose workers environments share
	others  atomic.Bool                 // other processes work tasks, too

	background sync.WaitGroup
	cancel     context.CancelFunc
}

// engine is a River client for one kind of database.
type engine interface {
	insert(ctx context.Context, tx *store.Tx, params []river.InsertManyParams) ([]*rivertype.JobInsertResult, error)
	complete(ctx context.Context, tx *store.Tx, job *river.Job[args]) error
	start(ctx context.Context) error
	stop(ctx context.Context) error
}

// args is what River stores of a task. Kind and queue are the same for all tasks of a kind.
type args struct {
	Task        string                       `json:"task" river:"unique"`
	Key         string                       `json:"key"  river:"unique"`
	Environment millrace.EnvironmentID       `json:"env,omitempty"`
	Account     millrace.IntegratedAccountID `json:"account,omitempty"`
	Traceparent string                       `json:"traceparent,omitempty"`
}

// Kind names the one kind of River job that there is; queues tell tasks apart.
func (args) Kind() string { return "task" }

// liveStates are the states in which a second task for the same row is not inserted.
func liveStates() []rivertype.JobState {
	return []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning,
		rivertype.JobStateScheduled, rivertype.JobStateRetryable,
	}
}

// New brings River's tables up to date and plugs the queue into the store. Nothing runs before Start.
func New(ctx context.Context, cfg Config) (*Queue, error) {
	if cfg.DB == nil || cfg.Logger == nil {
		return nil, errors.New("queue: a store and a logger are required")
	}
	q := &Queue{cfg: cfg, node: cfg.Node}
	if q.node == "" {
		q.node = millrace.NewID[string]()
	}
	if q.percent = cfg.Percent; q.percent <= 0 {
		q.percent = 50
	}
	q.rooms = map[millrace.TaskKind]*room{}
	for _, kind := range sharedKinds() {
		q.rooms[kind] = newRoom(kind, q.workers(kind), q.percent, cfg.DB.Weight)
	}
	var err error
	if cfg.DB.Postgres() != nil {
		q.engine, err = newPostgres(ctx, q)
	} else {
		q.engine, err = newSQLite(ctx, q)
	}
	if err != nil {
		return nil, fmt.Errorf("set up queue: %w", err)
	}
	cfg.DB.SetQueue(q)
	return q, nil
}

// Node returns the name of this process among those that share the database.
func (q *Queue) Node() string { return q.node }

// Start recovers what a crash left and begins to work tasks.
func (q *Queue) Start(ctx context.Context) error {
	if err := q.engine.start(ctx); err != nil {
		return err
	}
	ctx, q.cancel = context.WithCancel(context.WithoutCancel(ctx))
	q.lines(ctx)
	return nil
}

// Stop lets running tasks yield, waits for them, and cancels them when ctx ends first.
func (q *Queue) Stop(ctx context.Context) error {
	if q.cancel != nil {
		q.cancel()
		q.background.Wait()
	}
	return q.engine.stop(ctx)
}

// Enqueue implements store.Queue.
func (q *Queue) Enqueue(ctx context.Context, tx *store.Tx, tasks []millrace.Task) error {
	return q.enqueue(ctx, tx, q.admission(tx, nil), tasks)
}

// enqueue gives tasks to River, or into the line when their environment has as many there as it may.
func (q *Queue) enqueue(ctx context.Context, tx *store.Tx, a *admission, tasks []millrace.Task) error {
	now := time.Now() //nolint:forbidigo // River compares it with the machine's clock
	direct := make([]millrace.Task, 0, len(tasks))
	var waiting []millrace.Task
	for i := range tasks {
		if t := &tasks[i]; t.At.After(now) || a.admit(t) {
			direct = append(direct, *t)
		} else {
			waiting = append(waiting, *t)
		}
	}
	if len(direct) > 0 {
		if err := q.insert(ctx, tx, a, direct); err != nil {
			return err
		}
	}
	if len(waiting) > 0 {
		return q.wait(ctx, tx, a, waiting)
	}
	return nil
}

// wait puts tasks into the line.
func (q *Queue) wait(ctx context.Context, tx *store.Tx, a *admission, tasks []millrace.Task) error {
	waiting := make([]store.WaitingTask, len(tasks))
	for i := range tasks {
		waiting[i] = a.wait(&tasks[i])
	}
	return tx.Tasks().PutInLine(ctx, waiting)
}

// insert gives tasks to River.
func (q *Queue) insert(ctx context.Context, tx *store.Tx, a *admission, tasks []millrace.Task) error {
	params := make([]river.InsertManyParams, 0, len(tasks))
	seen, wake := make(map[args]bool, len(tasks)), make(map[string]bool)
	kept := make([]*millrace.Task, 0, len(tasks))
	for i := range tasks {
		t := &tasks[i]
		job := args{Task: string(t.Kind), Key: t.Key}
		wake[t.Key] = wake[t.Key] || t.Wake
		if seen[job] {
			continue
		}
		seen[job] = true
		job.Environment, job.Account, job.Traceparent = t.Environment, t.Account, t.Traceparent
		kept = append(kept, t)
		params = append(params, river.InsertManyParams{Args: job, InsertOpts: &river.InsertOpts{
			Queue: string(t.Kind), ScheduledAt: t.At, MaxAttempts: maxAttempts,
			UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: liveStates()},
		}})
	}
	results, err := q.engine.insert(ctx, tx, params)
	if err != nil {
		return fmt.Errorf("insert tasks: %w", err)
	}
	for i, r := range results {
		switch {
		case !r.UniqueSkippedAsDuplicate:
			if r.Job.State == rivertype.JobStateAvailable {
				a.inserted(kept[i], r.Job.ID)
			}
		case wake[kept[i].Key]:
			if err := tx.Tasks().HastenJob(ctx, r.Job.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// insertTopic is the topic on which River announces new jobs; insertPayload is what it says there.
const insertTopic = "river_insert"

func insertPayload(queue string) string { return `{"queue": "` + queue + `"}` }

// queuesOf returns the names of the queues that jobs go to.
func queuesOf(params []river.InsertManyParams) map[string]bool {
	queues := map[string]bool{}
	for _, p := range params {
		queues[p.InsertOpts.Queue] = true
	}
	return queues
}

type jobKey struct{}

// Finish implements store.Queue.
func (q *Queue) Finish(ctx context.Context, tx *store.Tx) error {
	job, ok := ctx.Value(jobKey{}).(*river.Job[args])
	if !ok {
		return nil
	}
	err := q.engine.complete(ctx, tx, job)
	if errors.Is(err, rivertype.ErrNotFound) {
		// The task was given to another worker meanwhile. What this one stores is idempotent, so it may stand.
		return nil
	}
	if err != nil {
		return fmt.Errorf("complete task: %w", err)
	}
	tx.AfterCommit(func() { q.ended.add(job.ID) })
	return nil
}

// migrate brings River's tables up to date.
func migrate[TTx any](ctx context.Context, driver riverdriver.Driver[TTx], logger *slog.Logger) error {
	m, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: quiet(logger)})
	if err != nil {
		return err
	}
	_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
	return err
}

// config returns the settings that both databases share.
func (q *Queue) config() *river.Config {
	workers := river.NewWorkers()
	river.AddWorker(workers, &worker{q: q})
	queues := map[string]river.QueueConfig{}
	for kind := range q.cfg.Handlers {
		queues[string(kind)] = river.QueueConfig{MaxWorkers: q.workers(kind), FetchPollInterval: pollEvery(kind)}
	}
	queues[string(millrace.TaskReconcile)] = river.QueueConfig{MaxWorkers: 1, FetchPollInterval: pollEvery(millrace.TaskReconcile)}
	return &river.Config{
		ID: q.node, Logger: quiet(q.cfg.Logger), Workers: workers, Queues: queues,
		FetchCooldown: 2 * time.Millisecond,
		JobTimeout:    jobTimeout, RescueStuckJobsAfter: rescueAfter, SoftStopTimeout: 5 * time.Second,
		CompletedJobRetentionPeriod: keepDone, CancelledJobRetentionPeriod: keepFailed, DiscardedJobRetentionPeriod: keepFailed,
		MaxAttempts: maxAttempts, RetryPolicy: retryPolicy{}, ErrorHandler: panics{q.cfg.Logger}, PeriodicJobs: q.periodic(),
	}
}

// pollEvery returns how often to look for tasks of a kind that are not announced: those that have yielded, which only slices
// and pumps do, and those whose announcement was lost. Looking is most of what an idle server does.
func pollEvery(kind millrace.TaskKind) time.Duration {
	switch kind {
	case millrace.TaskSlice, millrace.TaskPump:
		return 250 * time.Millisecond
	case millrace.TaskInbound, millrace.TaskMatch, millrace.TaskWorkflow, millrace.TaskConnect, millrace.TaskRefresh, millrace.TaskAction, millrace.TaskDisconnect, millrace.TaskRedeliver, millrace.TaskErase, millrace.TaskPrune, millrace.TaskReconcile:
	}
	return time.Second
}

// workers returns how many tasks of a kind run at once. Slices and pumps mostly wait for the network, and there must be some
// left when a hundred endpoints stop responding at once, as those of one provider do. One environment gets half of them.
func (q *Queue) workers(kind millrace.TaskKind) int {
	if n := q.cfg.Workers[kind]; n > 0 {
		return n
	}
	switch kind {
	case millrace.TaskInbound:
		return 8
	case millrace.TaskMatch:
		return 16
	case millrace.TaskWorkflow:
		return 32
	case millrace.TaskConnect:
		return 64
	case millrace.TaskSlice:
		return 256
	case millrace.TaskPump:
		return 512
	case millrace.TaskRefresh, millrace.TaskAction, millrace.TaskDisconnect:
		return 32
	case millrace.TaskRedeliver:
		return 4
	case millrace.TaskErase, millrace.TaskPrune, millrace.TaskReconcile:
	}
	return 1
}

func (q *Queue) periodic() []*river.PeriodicJob {
	every := func(kind millrace.TaskKind, d time.Duration) *river.PeriodicJob {
		return river.NewPeriodicJob(river.PeriodicInterval(d), func() (river.JobArgs, *river.InsertOpts) {
			return args{Task: string(kind)}, &river.InsertOpts{
				Queue: string(kind), MaxAttempts: 1, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: liveStates()},
			}
		}, &river.PeriodicJobOpts{RunOnStart: true})
	}
	jobs := []*river.PeriodicJob{every(millrace.TaskReconcile, reconcilePer)}
	if q.cfg.Handlers[millrace.TaskPrune] != nil {
		jobs = append(jobs, every(millrace.TaskPrune, pruneEvery))
	}
	return jobs
}

// quiet keeps River's own messages below warnings out of the log.
func quiet(l *slog.Logger) *slog.Logger { return slog.New(levelHandler{l.Handler(), slog.LevelWarn}) }

type levelHandler struct {
	slog.Handler
	min slog.Level
}

// Enabled implements slog.Handler.
func (h levelHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= h.min && h.Handler.Enabled(ctx, l)
}

// Handle implements slog.Handler. River calls it an error that shutting down cancels its housekeeping; it is none.
func (h levelHandler) Handle(ctx context.Context, r slog.Record) error {
	cancelled := false
	r.Attrs(func(a slog.Attr) bool {
		cancelled = cancelled || strings.HasSuffix(a.Value.String(), context.Canceled.Error())
		return !cancelled
	})
	if cancelled {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h levelHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return levelHandler{h.Handler.WithAttrs(attrs), h.min}
}

// WithGroup implements slog.Handler.
func (h levelHandler) WithGroup(name string) slog.Handler {
	return levelHandler{h.Handler.WithGroup(name), h.min}
}
