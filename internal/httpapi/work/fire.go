package work

import (
	"context"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/store"
)

// firesIn is the input of the list of a schedule's fires.
type firesIn struct {
	ID millrace.SyncJobCronTriggerID `path:"id" doc:"The schedule's id, a UUID." example:"3f1a6a1e-7c0d-4b7e-9d55-0b7a3d1c2e4f"`
	rest.ListIn
}

func (in *firesIn) Read(r *rest.Request, b *rest.BodyReader) error {
	in.ID = millrace.SyncJobCronTriggerID(strings.ToLower(string(in.ID)))
	if err := in.ListIn.Read(r, b); err != nil {
		return err
	}
	if in.List.None || !millrace.IsID(string(in.ID)) {
		return millrace.NotFound("object", millrace.Shorten(string(in.ID)))
	}
	return nil
}

// fireView is the row of an instant on the wire: a run that it does not have is null.
type fireView struct {
	millrace.CronFire
	SyncJobRunID *millrace.SyncJobRunID `json:"sync_job_run_id"`
}

// Fires says why an instant did (not) run.
func (n cronTriggers) Fires(ctx context.Context, in *firesIn) (*rest.Reply[millrace.Page[fireView]], error) {
	out := &rest.Reply[millrace.Page[fireView]]{}
	in.List.MaxBytes = millrace.MaxPageBytes
	err := n.DB.View(ctx, func(tx *store.Tx) error {
		if _, err := tx.Schedules().Get(ctx, in.Environment, in.ID); err != nil {
			return err
		}
		page, err := tx.Schedules().ListFires(ctx, in.Environment, in.ID, in.List.Query)
		if err != nil {
			return err
		}
		out.Body = millrace.Page[fireView]{Result: make([]fireView, len(page.Result)), NextCursor: page.NextCursor, Limit: page.Limit}
		for i, f := range page.Result {
			out.Body.Result[i] = fireView{f, rest.Nullable(f.SyncJobRunID)}
		}
		return nil
	})
	return out, err
}
