package queue

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/trace"
)

// againTimeout bounds how long putting a task at the end of the line may take; where it fails, the task comes back after
// againAfter.
const (
	againTimeout = 5 * time.Second
	againAfter   = 100 * time.Millisecond
)

// atWork knows the tasks that this process is working on.
type atWork struct {
	mu    sync.Mutex
	tasks map[int64]int // how often: a task that was freed too early may run twice
}

func (a *atWork) add(id int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.tasks == nil {
		a.tasks = map[int64]int{}
	}
	a.tasks[id]++
}

func (a *atWork) remove(id int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.tasks[id]--; a.tasks[id] == 0 {
		delete(a.tasks, id)
	}
}

func (a *atWork) list() []int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.AppendSeq([]int64{}, maps.Keys(a.tasks))
}

// worker hands River's jobs to the handlers of their kind.
type worker struct {
	river.WorkerDefaults[args]
	q *Queue
}

// Work implements river.Worker. It is the one place that turns what handlers return into River's results.
func (w *worker) Work(ctx context.Context, job *river.Job[args]) error {
	kind := millrace.TaskKind(job.Args.Task)
	handler := w.q.cfg.Handlers[kind]
	if kind == millrace.TaskReconcile && handler == nil {
		handler = w.q.reconcile
	}
	if handler == nil {
		return river.JobCancel(errors.New("no handler for task kind " + job.Args.Task))
	}
	w.q.atWork.add(job.ID)
	defer w.q.atWork.remove(job.ID)
	task := millrace.Task{
		Kind: kind, Key: job.Args.Key, ID: job.ID, Attempt: job.Attempt, Environment: job.Args.Environment, Account: job.Args.Account,
		Traceparent: job.Args.Traceparent,
	}
	ctx = trace.With(context.WithValue(ctx, jobKey{}, job), task.Traceparent)
	if r := w.q.rooms[kind]; r != nil && task.Environment != "" {
		defer r.forget(job.ID)
		if !r.enter(job.ID, task.Environment) {
			return w.again(ctx, task, true)
		}
		defer r.leave(task.Environment)
	}
	began := time.Now() //nolint:forbidigo // a duration for the log
	err := handler(ctx, task)
	w.log(ctx, task, began, err)
	if yields(err) {
		return w.again(ctx, task, false)
	}
	return translate(err)
}

// yields reports whether a task has given back its worker and wants another as soon as others had theirs.
func yields(err error) bool {
	var retry *millrace.RetryError
	return errors.As(err, &retry) && retry.After <= 0 && retry.Err == nil
}

// again puts a task at the end of the line: that of its environment if it has one or must, else that of River. River's snoozing
// would keep the place in front, and would announce nothing; it is the way out when the database fails.
func (w *worker) again(ctx context.Context, task millrace.Task, inLine bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), againTimeout)
	defer cancel()
	next := []millrace.Task{{Kind: task.Kind, Key: task.Key, Environment: task.Environment, Account: task.Account, Traceparent: task.Traceparent}}
	err := w.q.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		if err := tx.Finish(ctx); err != nil {
			return err
		}
		a := w.q.admission(tx, &task)
		if inLine {
			return w.q.wait(ctx, tx, a, next)
		}
		return w.q.enqueue(ctx, tx, a, next)
	})
	if err != nil {
		return river.JobSnooze(againAfter)
	}
	return nil
}

func translate(err error) error {
	var retry *millrace.RetryError
	var permanent *millrace.PermanentError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &permanent):
		return river.JobCancel(err)
	case errors.As(err, &retry):
		return river.JobSnooze(max(retry.After, 0))
	case errors.Is(err, store.ErrUnknownOutcome):
		return river.JobSnooze(0) // the rows say what was stored; a task that was completed with them stays so
	}
	return err
}

func (w *worker) log(ctx context.Context, task millrace.Task, began time.Time, err error) {
	attrs := []slog.Attr{
		slog.String("task", string(task.Kind)), slog.String("key", task.Key), slog.Int64("task_id", task.ID),
		slog.Int("attempt", task.Attempt), slog.Float64("duration_ms", float64(time.Since(began).Microseconds())/1000),
	}
	level := slog.LevelDebug
	var retry *millrace.RetryError
	switch {
	case errors.As(err, &retry):
		attrs = append(attrs, slog.Duration("again_in", retry.After))
		if retry.Err != nil {
			level = slog.LevelWarn
			attrs = append(attrs, slog.String("err", retry.Err.Error()))
		}
	case errors.Is(err, context.Canceled):
		attrs = append(attrs, slog.String("err", err.Error())) // shutting down: the task runs again
	case errors.Is(err, store.ErrUnknownOutcome):
		level = slog.LevelWarn // the task runs again and finds out
		attrs = append(attrs, slog.String("err", err.Error()))
	case millrace.KindOf(err) == millrace.KindConflict:
		level = slog.LevelWarn // taken over by another worker, which is what fencing is for
		attrs = append(attrs, slog.String("err", err.Error()))
	case err != nil:
		level = slog.LevelError
		attrs = append(attrs, slog.String("err", err.Error()))
	}
	w.q.cfg.Logger.LogAttrs(ctx, level, "task done", attrs...)
}

// panics logs where a handler panicked: River's own line says only that it did.
type panics struct{ logger *slog.Logger }

// HandleError implements river.ErrorHandler. Errors have been logged with the task.
func (panics) HandleError(context.Context, *rivertype.JobRow, error) *river.ErrorHandlerResult {
	return nil
}

// HandlePanic implements river.ErrorHandler.
func (p panics) HandlePanic(ctx context.Context, job *rivertype.JobRow, value any, trace string) *river.ErrorHandlerResult {
	p.logger.LogAttrs(ctx, slog.LevelError, "task panicked", slog.String("task", job.Queue), slog.Int64("task_id", job.ID),
		slog.Int("attempt", job.Attempt), slog.Any("err", value), slog.String("stack", trace))
	return nil
}

// retryPolicy waits 1, 2, 4, ... up to 60 seconds after an error of ours.
type retryPolicy struct{}

// NextRetry implements river.ClientRetryPolicy.
func (retryPolicy) NextRetry(job *rivertype.JobRow) time.Time {
	wait := time.Minute
	if n := len(job.Errors); n < 6 {
		wait = time.Second << n
	}
	return time.Now().Add(wait) //nolint:forbidigo // River compares it with the machine's clock
}
