package store_test

import (
	"context"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
	"github.com/millrace/millrace/internal/store/table"
)

// machine is a noun whose status a walk changes by one of the ways in which the store writes it.
type machine[S millrace.Status[S]] struct {
	all    []S
	create func(ctx context.Context, tx *store.Tx, first S) error
	status func(ctx context.Context, tx *store.Tx) (S, error)
	move   func(ctx context.Context, tx *store.Tx, to S) error
	may    func(from, to S) bool // nil: what the table of transitions says, and what changes nothing
}

// errRejected is what move returns for a row that is not in a state in which it may be written at all.
var errRejected = errors.New("rejected")

// walk puts a row in a state and draws where it shall go: it goes where the table of transitions leads, and stays otherwise.
func (m *machine[S]) walk(t *testing.T, db *store.DB) {
	may := m.may
	if may == nil {
		may = func(from, to S) bool { return from == to || from.Next(to) }
	}
	rapid.Check(t, func(r *rapid.T) {
		at := rapid.SampledFrom(m.all).Draw(r, "first")
		path := rapid.SliceOfN(rapid.SampledFrom(m.all), 1, 12).Draw(r, "path")
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			at := at // the update may be repeated
			if err := m.create(t.Context(), tx, at); err != nil {
				return err
			}
			for _, to := range path {
				err := m.move(t.Context(), tx, to)
				if rejected := millrace.KindOf(err) == millrace.KindConflict || millrace.KindOf(err) == millrace.KindNotFound || errors.Is(err, errRejected) || errors.Is(err, table.ErrTransition); err != nil && !rejected {
					return err
				}
				if moved := err == nil; moved != may(at, to) {
					r.Errorf("from %s to %s: got error %v", at, to, err)
				}
				if may(at, to) {
					at = to
				}
				got, err := m.status(t.Context(), tx)
				if err != nil {
					return err
				}
				if got != at {
					r.Errorf("after the way to %s: the row is %s, want %s", to, got, at)
				}
			}
			return nil
		})
		if err != nil {
			r.Fatal(err)
		}
	})
}

func TestAccountsGoFromStateToState(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var id millrace.IntegratedAccountID
		get := func(ctx context.Context, tx *store.Tx) (*millrace.IntegratedAccount, error) {
			return tx.Accounts().Get(ctx, env, id)
		}
		m := machine[millrace.AccountStatus]{
			all: millrace.AccountStatuses(),
			create: func(ctx context.Context, tx *store.Tx, first millrace.AccountStatus) error {
				v := &millrace.IntegratedAccount{EnvironmentID: env, Status: first}
				err := tx.Accounts().Create(ctx, v)
				id = v.ID
				return err
			},
			status: func(ctx context.Context, tx *store.Tx) (millrace.AccountStatus, error) {
				v, err := get(ctx, tx)
				return v.Status, err
			},
			move: func(ctx context.Context, tx *store.Tx, to millrace.AccountStatus) error {
				v, err := get(ctx, tx)
				v.Status = to
				return errors.Join(err, tx.Accounts().Update(ctx, v))
			},
		}
		m.walk(t, db)
	})
}

func TestDeliveriesGoFromStateToState(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var id millrace.DeliveryID
		get := func(ctx context.Context, tx *store.Tx) (*millrace.Delivery, error) {
			return tx.Deliveries().Get(ctx, env, id)
		}
		m := machine[millrace.DeliveryStatus]{
			all: millrace.DeliveryStatuses(),
			create: func(ctx context.Context, tx *store.Tx, first millrace.DeliveryStatus) error {
				v := &millrace.Delivery{EnvironmentID: env, Status: first}
				err := tx.Deliveries().Create(ctx, v)
				id = v.ID
				return err
			},
			status: func(ctx context.Context, tx *store.Tx) (millrace.DeliveryStatus, error) {
				v, err := get(ctx, tx)
				return v.Status, err
			},
		}
		m.move = func(ctx context.Context, tx *store.Tx, to millrace.DeliveryStatus) error {
			v, err := get(ctx, tx)
			v.Status = to
			return errors.Join(err, tx.Deliveries().Update(ctx, v))
		}
		m.walk(t, db)
		m.move = func(ctx context.Context, tx *store.Tx, to millrace.DeliveryStatus) error {
			v, err := get(ctx, tx)
			v.Status = to
			return errors.Join(err, tx.Deliveries().Save(ctx, millrace.TriedDelivery{Delivery: *v}))
		}
		m.walk(t, db)
		m.move = func(ctx context.Context, tx *store.Tx, to millrace.DeliveryStatus) error {
			v, err := get(ctx, tx)
			v.Status = to
			gone := millrace.Delivery{ID: millrace.NewID[millrace.DeliveryID](), EnvironmentID: env, Status: to}
			return errors.Join(err, tx.Deliveries().Save(ctx, millrace.TriedDelivery{Delivery: gone}, millrace.TriedDelivery{Delivery: *v}))
		}
		m.walk(t, db)
	})
}

func TestInboundHooksGoFromStateToState(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var id millrace.InboundHookID
		m := machine[millrace.InboundStatus]{
			all: millrace.InboundStatuses(),
			may: func(from, to millrace.InboundStatus) bool { return from.Next(to) },
			create: func(ctx context.Context, tx *store.Tx, first millrace.InboundStatus) error {
				v := &millrace.InboundHook{EnvironmentID: env, Status: first}
				err := tx.Hooks().Create(ctx, v)
				id = v.ID
				return err
			},
			status: func(ctx context.Context, tx *store.Tx) (millrace.InboundStatus, error) {
				v, err := tx.Hooks().Get(ctx, env, id)
				return v.Status, err
			},
			move: func(ctx context.Context, tx *store.Tx, to millrace.InboundStatus) error {
				was, err := tx.Hooks().Finish(ctx, &millrace.InboundHook{ID: id, EnvironmentID: env, Status: to})
				if err == nil && !was {
					err = errRejected
				}
				return err
			},
		}
		m.walk(t, db)
	})
}

func TestSyncJobRunsGoFromStateToState(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var id millrace.SyncJobRunID
		m := machine[millrace.RunStatus]{
			all: millrace.RunStatuses(),
			create: func(ctx context.Context, tx *store.Tx, first millrace.RunStatus) error {
				v := &millrace.SyncJobRun{EnvironmentID: env, Status: first}
				err := tx.SyncJobRuns().Create(ctx, v)
				id = v.ID
				return err
			},
			status: func(ctx context.Context, tx *store.Tx) (millrace.RunStatus, error) {
				v, err := tx.SyncJobRuns().Get(ctx, env, id)
				return v.Status, err
			},
			move: func(ctx context.Context, tx *store.Tx, to millrace.RunStatus) error {
				v, err := tx.SyncJobRuns().Lock(ctx, env, id)
				v.Status = to
				return errors.Join(err, tx.SyncJobRuns().Update(ctx, v))
			},
		}
		m.walk(t, db)
		m.may = func(from, to millrace.RunStatus) bool { return !from.Finished() && (from == to || from.Next(to)) }
		m.move = func(ctx context.Context, tx *store.Tx, to millrace.RunStatus) error {
			v, err := tx.SyncJobRuns().Claim(ctx, env, id)
			v.Status = to
			return errors.Join(err, tx.SyncJobRuns().Save(ctx, v))
		}
		m.walk(t, db)
	})
}

func TestWorkflowRunsGoFromStateToState(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var id millrace.WorkflowRunID
		m := machine[millrace.WorkflowRunStatus]{
			all: millrace.WorkflowRunStatuses(),
			may: func(from, to millrace.WorkflowRunStatus) bool {
				return !from.Finished() && (from == to || from.Next(to))
			},
			create: func(ctx context.Context, tx *store.Tx, first millrace.WorkflowRunStatus) error {
				v := &millrace.WorkflowRun{EnvironmentID: env, Status: first, EventID: millrace.NewID[millrace.EventID]()}
				err := tx.WorkflowRuns().Create(ctx, v)
				id = v.ID
				return err
			},
			status: func(ctx context.Context, tx *store.Tx) (millrace.WorkflowRunStatus, error) {
				v, err := tx.WorkflowRuns().Get(ctx, env, id)
				return v.Status, err
			},
			move: func(ctx context.Context, tx *store.Tx, to millrace.WorkflowRunStatus) error {
				v, err := tx.WorkflowRuns().Get(ctx, env, id)
				v.Status = to
				return errors.Join(err, tx.WorkflowRuns().Update(ctx, v))
			},
		}
		m.walk(t, db)
	})
}

// TestFaultOfASliceIsNoConflict shows that a slice that still has its run, and writes a status that the run must not get, gets an
// error that it does not take for another slice at work.
func TestFaultOfASliceIsNoConflict(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		save := func(claimed bool) error {
			return db.Update(t.Context(), func(tx *store.Tx) error {
				v := &millrace.SyncJobRun{EnvironmentID: env, Status: millrace.RunCreated}
				if err := tx.SyncJobRuns().Create(t.Context(), v); err != nil {
					return err
				}
				v, err := tx.SyncJobRuns().Claim(t.Context(), env, v.ID)
				if err != nil {
					return err
				}
				if !claimed {
					v.Epoch--
				}
				v.Status = millrace.RunRateLimited
				return tx.SyncJobRuns().Save(t.Context(), v)
			})
		}
		if err := save(true); millrace.KindOf(err) != millrace.KindInternal || !errors.Is(err, table.ErrTransition) {
			t.Errorf("of its own run: got %v, want an internal error about the transition", err)
		}
		if err := save(false); millrace.KindOf(err) != millrace.KindConflict {
			t.Errorf("of a run that another has claimed: got %v, want a conflict", err)
		}
	})
}
