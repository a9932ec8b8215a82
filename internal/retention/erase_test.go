package retention

import (
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

func TestEraseStopsRunsAndGoesOnAfterAMinute(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		env := &millrace.Environment{}
		run := &millrace.SyncJobRun{
			IntegratedAccountID: millrace.NewID[millrace.IntegratedAccountID](), Status: millrace.RunRunning, Args: json.RawMessage(`{"name":"data of the customer"}`),
		}
		wish := &millrace.Erasure{IntegratedAccountID: run.IntegratedAccountID}
		err := db.Update(ctx, func(tx *store.Tx) error {
			if err := tx.Environments().Create(ctx, env); err != nil {
				return err
			}
			run.EnvironmentID, wish.EnvironmentID = env.ID, env.ID
			if err := tx.SyncJobRuns().Create(ctx, run); err != nil {
				return err
			}
			return tx.Erasures().Start(ctx, wish)
		})
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		e := NewEraser(db, func() time.Time { return now }, slog.New(slog.DiscardHandler))
		task := millrace.Task{Kind: millrace.TaskErase, Key: string(wish.ID)}

		first, ok := errors.AsType[*millrace.RetryError](e.Erase(ctx, task))
		if !ok || first.After < 30*time.Second || first.Err != nil {
			t.Errorf("the first pass ends with %v, want a wish to go on in a minute", first)
		}
		if got := storetest.Strings(t, db, "SELECT status FROM sync_job_run"); len(got) != 1 || got[0] != string(millrace.RunStopped) {
			t.Errorf("after the first pass the run is %q", got)
		}
		now = now.Add(2 * time.Minute)
		if err := e.Erase(ctx, task); err != nil {
			t.Errorf("the second pass: %v", err)
		}
		for _, text := range []string{"data of the customer", string(wish.ID), string(run.IntegratedAccountID)} {
			if found := storetest.Find(t, db, text); len(found) > 0 {
				t.Errorf("%q is left in %q", text, found)
			}
		}
		if err := e.Erase(ctx, task); err != nil {
			t.Errorf("once more: %v", err)
		}
	})
}
