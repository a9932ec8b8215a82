package queue

import (
	"context"
	"sync"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"
)

// ended knows the jobs that a transaction of ours has completed, until River says that their handlers have returned. River then
// completes each of them a second time, which on SQLite takes two statements a job.
type ended struct {
	mu   sync.Mutex
	jobs map[int64]bool
}

func (e *ended) add(id int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.jobs == nil {
		e.jobs = map[int64]bool{}
	}
	e.jobs[id] = true
}

// take reports whether a job has ended, and forgets it.
func (e *ended) take(id int64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	known := e.jobs[id]
	delete(e.jobs, id)
	return known
}

// setStates is JobSetStateIfRunningMany of River's executor, for the jobs that have not ended yet. What is to wait and was hastened
// while it ran becomes available after it.
func (q *Queue) setStates(ctx context.Context, on riverdriver.Executor, p *riverdriver.JobSetStateIfRunningManyParams) ([]*rivertype.JobRow, error) {
	left, waiting := q.ended.without(p)
	if len(left.ID) == 0 {
		return nil, nil
	}
	rows, err := on.JobSetStateIfRunningMany(ctx, left)
	if err != nil || len(waiting) == 0 {
		return rows, err
	}
	hasten, args := q.cfg.DB.HastenMarked(waiting)
	if err := on.Exec(ctx, hasten, args...); err != nil {
		// River would write the states again, perhaps over those of jobs that run again by now. The next reconcile pass hastens them.
		q.complain(ctx, err)
	}
	return rows, nil
}

// without returns what is left of a change of states without the jobs that have ended, and which of those are to wait.
func (e *ended) without(p *riverdriver.JobSetStateIfRunningManyParams) (*riverdriver.JobSetStateIfRunningManyParams, []int64) {
	left, waiting := &riverdriver.JobSetStateIfRunningManyParams{Now: p.Now, Schema: p.Schema}, []int64(nil)
	for i, id := range p.ID {
		if e.take(id) {
			continue
		}
		if p.ScheduledAt[i] != nil {
			waiting = append(waiting, id)
		}
		left.ID = append(left.ID, id)
		left.Attempt = append(left.Attempt, p.Attempt[i])
		left.ErrData = append(left.ErrData, p.ErrData[i])
		left.FinalizedAt = append(left.FinalizedAt, p.FinalizedAt[i])
		left.MetadataDoMerge = append(left.MetadataDoMerge, p.MetadataDoMerge[i])
		left.MetadataUpdates = append(left.MetadataUpdates, p.MetadataUpdates[i])
		left.ScheduledAt = append(left.ScheduledAt, p.ScheduledAt[i])
		left.State = append(left.State, p.State[i])
	}
	return left, waiting
}
