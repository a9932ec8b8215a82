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

// setOthers is JobSetStateIfRunningMany of River's executor, for the jobs that have not ended yet.
func (e *ended) setOthers(ctx context.Context, on riverdriver.Executor, p *riverdriver.JobSetStateIfRunningManyParams) ([]*rivertype.JobRow, error) {
	left := &riverdriver.JobSetStateIfRunningManyParams{Now: p.Now, Schema: p.Schema}
	for i, id := range p.ID {
		if e.take(id) {
			continue
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
	if len(left.ID) == 0 {
		return nil, nil
	}
	return on.JobSetStateIfRunningMany(ctx, left)
}
