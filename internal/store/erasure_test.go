package store_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// customer is an account with a text that stands wherever its data may stand.
type customer struct {
	account millrace.IntegratedAccountID
	marker  string
}

// store stores every kind of row that holds a customer's data.
func (c *customer) store(t *testing.T, tx *store.Tx) {
	t.Helper()
	a := &aged{t: t, tx: tx, now: tx.Now()}
	ctx := store.By(t.Context(), store.Actor{Kind: store.ActorUser, ID: "ann", Name: "ann"}) // so that the audit log has it, too
	doc := json.RawMessage(fmt.Sprintf(`{"integrated_account_id":%q,"name":%q}`, c.account, c.marker))
	long := []byte(strings.Repeat(string(doc), 20)) // is compressed

	workflowRun := &millrace.WorkflowRun{EnvironmentID: env, EventID: millrace.EventID("event of " + string(c.account)), Status: millrace.WorkflowRunRunning, Result: doc, Error: doc}
	a.must(tx.WorkflowRuns().Create(ctx, workflowRun))
	_, err := tx.WorkflowRuns().AddStepResult(ctx, env, workflowRun.ID, 0, millrace.StepResult{Result: doc})
	a.must(err)
	run := &millrace.SyncJobRun{EnvironmentID: env, IntegratedAccountID: c.account, WorkflowRunID: workflowRun.ID, Status: millrace.RunCompleted, Args: doc, Error: doc, Resources: doc}
	a.must(tx.SyncJobRuns().Create(ctx, run))
	a.must(tx.Checkpoints().Add(ctx, run.EnvironmentID, run.ID, map[int64][]byte{1: long}))
	a.must(tx.Deliveries().Freeze(ctx, &millrace.FrozenDelivery{
		Delivery: millrace.Delivery{EnvironmentID: env, IntegratedAccountID: c.account, SyncJobRunID: run.ID, RunSequence: 1, Status: millrace.DeliveryPending}, Body: long,
	}))
	a.must(tx.States().Save(ctx, &millrace.StateEntry{EnvironmentID: env, StateKey: "shared", Key: "of " + c.marker, Value: doc, SyncJobRunID: run.ID}))
	a.must(tx.States().Save(ctx, &millrace.StateEntry{EnvironmentID: env, StateKey: "of " + string(c.account), Key: "k", Value: json.RawMessage(`"` + c.marker + `"`)}))
	a.must(tx.Hooks().Create(ctx, &millrace.InboundHook{EnvironmentID: env, IntegratedAccountID: c.account, Status: millrace.InboundFailed, Error: doc}))

	a.must(tx.Calls().Log(ctx, &millrace.CallLog{EnvironmentID: env, IntegratedAccountID: c.account, TenantID: c.marker, Message: c.marker}))

	c.event(t, a, workflowRun.EventID, doc, "")
	c.event(t, a, "", json.RawMessage(`{"of":"its run","name":"`+c.marker+`"}`), run.ID)
	c.delivery(t, a, &millrace.Delivery{SyncJobRunID: run.ID, Status: millrace.DeliveryDelivered})
	deleted := &millrace.Event{EnvironmentID: env, Name: millrace.EventAccountDeleted, Payload: json.RawMessage(`{"id":"` + string(c.account) + `"}`)}
	_, err = tx.Events().Create(ctx, deleted)
	a.must(err)
	a.must(tx.Deliveries().Create(ctx, &millrace.Delivery{
		ID: millrace.DeliveryID("last to " + string(c.account)), EnvironmentID: env, IntegratedAccountID: c.account, EventID: deleted.ID, Event: deleted.Name,
		Status: millrace.DeliveryPending,
	}))
}

func (c *customer) event(t *testing.T, a *aged, id millrace.EventID, payload json.RawMessage, run millrace.SyncJobRunID) {
	t.Helper()
	e := &millrace.Event{ID: id, EnvironmentID: env, Name: "record:created", Payload: payload, SyncJobRunID: run}
	_, err := a.tx.Events().Create(t.Context(), e)
	a.must(err)
	_, err = a.tx.Decisions().Create(t.Context(), &millrace.Decision{EventID: e.ID, WorkflowID: "w", EnvironmentID: env, Outcome: millrace.OutcomeError, Error: payload})
	a.must(err)
	c.delivery(t, a, &millrace.Delivery{EventID: e.ID, Status: millrace.DeliveryDelivered})
	c.delivery(t, a, &millrace.Delivery{EventID: e.ID, Status: millrace.DeliveryPending, Sequence: 1})
}

func (c *customer) delivery(t *testing.T, a *aged, d *millrace.Delivery) {
	t.Helper()
	ctx := t.Context()
	d.EnvironmentID, d.Event = env, "record:created"
	a.must(a.tx.Deliveries().Create(ctx, d))
	attempt := millrace.Attempt{DeliveryID: d.ID, EnvironmentID: env, Number: 1, Response: c.marker, Header: map[string][]string{"X": {c.marker}}}
	second := attempt
	second.Number = 2
	a.must(a.tx.Deliveries().Save(ctx, millrace.TriedDelivery{Delivery: *d, Tries: []millrace.Attempt{attempt, second}}))
	line := &millrace.RunLog{ID: millrace.NewID[millrace.RunLogID](), EnvironmentID: env, SyncJobRunID: d.SyncJobRunID, DeliveryID: d.ID, Message: c.marker}
	own := &millrace.RunLog{ID: millrace.NewID[millrace.RunLogID](), EnvironmentID: env, SyncJobRunID: d.SyncJobRunID, Message: c.marker}
	lines := []*millrace.RunLog{line}
	if d.SyncJobRunID != "" {
		lines = append(lines, own)
	}
	a.must(a.tx.SyncJobRuns().AddLog(ctx, lines))
}

// erase does all of an erasure, three rows at a time.
func erase(t *testing.T, db *store.DB, e millrace.Erasure) {
	t.Helper()
	update(t, db, func(tx *store.Tx) error { return tx.Erasures().Start(t.Context(), &e) })
	for at := &e; at != nil; {
		update(t, db, func(tx *store.Tx) error {
			var err error
			at, err = tx.Erasures().EraseRows(t.Context(), e.ID, 3)
			return err
		})
	}
}

func TestEraseAccount(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		gone := &customer{account: millrace.NewID[millrace.IntegratedAccountID](), marker: "data of the one"}
		other := &customer{account: millrace.NewID[millrace.IntegratedAccountID](), marker: "data of the other"}
		update(t, db, func(tx *store.Tx) error {
			gone.store(t, tx)
			other.store(t, tx)
			return nil
		})
		before := storetest.Find(t, db, other.marker)
		if len(storetest.Find(t, db, gone.marker)) != len(before) || len(before) < 15 {
			t.Fatalf("the data of a customer stands in %q", before)
		}
		erase(t, db, millrace.Erasure{EnvironmentID: env, IntegratedAccountID: gone.account})
		if found := storetest.Find(t, db, gone.marker); len(found) > 0 {
			t.Errorf("after the erasure its data is left in %q", found)
		}
		if diff := cmp.Diff(before, storetest.Find(t, db, other.marker)); diff != "" {
			t.Errorf("the data of another customer changed (-want +got):\n%s", diff)
		}
		want := []string{"pending"} // the webhook is still to learn that the account is gone
		if got := left(t, db, "SELECT status FROM delivery WHERE integrated_account_id = '"+string(gone.account)+"'"); cmp.Diff(want, got) != "" {
			t.Errorf("the delivery of the last event is %q, want %q", got, want)
		}
		if got := left(t, db, "SELECT id FROM erasure"); len(got) > 0 {
			t.Errorf("erasures left: %q", got)
		}
	})
}

func TestEraseTenant(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		update(t, db, func(tx *store.Tx) error {
			for _, tenant := range []string{"acme", "acme-2"} {
				c := &customer{marker: "data of " + tenant + "."}
				c.event(t, &aged{t: t, tx: tx, now: tx.Now()}, "", json.RawMessage(`{"tenant_id" : "`+tenant+`", "name": "`+c.marker+`", "peer": "acme"}`), "")
				if err := tx.Calls().Log(t.Context(), &millrace.CallLog{EnvironmentID: env, TenantID: tenant, Message: c.marker}); err != nil {
					return err
				}
			}
			for _, tenant := range []millrace.TenantID{"acme", "acme-2"} {
				ctx := store.By(t.Context(), store.Actor{Kind: store.ActorUser, ID: "ann", Name: "ann"})
				if _, err := tx.Accounts().Tenants().Create(ctx, &millrace.Tenant{ID: tenant, EnvironmentID: env, Name: "data of " + string(tenant) + "."}); err != nil {
					return err
				}
			}
			_, err := tx.Events().Create(t.Context(), &millrace.Event{EnvironmentID: env, Name: "custom:empty"})
			return err
		})
		other := storetest.Find(t, db, "data of acme-2.")
		update(t, db, func(tx *store.Tx) error { return tx.Accounts().Tenants().Delete(t.Context(), env, "acme") })
		if found := left(t, db, "SELECT after FROM audit_entry WHERE resource_id = 'acme'"); len(found) != 1 {
			t.Errorf("the audit log has %q", found)
		}
		erase(t, db, millrace.Erasure{EnvironmentID: env, TenantID: "acme"})
		if found := storetest.Find(t, db, "data of acme."); len(found) > 0 {
			t.Errorf("after the erasure its data is left in %q", found)
		}
		if diff := cmp.Diff(other, storetest.Find(t, db, "data of acme-2.")); diff != "" || len(other) == 0 {
			t.Errorf("the data of another customer changed (-want +got):\n%s", diff)
		}
	})
}
