package retention

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// TestNeedsOfEachKind says when rows are needed, and that what nothing is known about is not removed.
func TestNeedsOfEachKind(t *testing.T) {
	t.Parallel()
	const before, now = millrace.Time(1_000), millrace.Time(1_000_000_000_000_000)
	age := store.Needed{Need: store.NeedAge, Since: before}
	longest := store.Needed{Need: store.NeedRate, Since: now.Add(-millrace.MaxPeriod.Duration())}
	want := map[millrace.Kept][]store.Needed{
		millrace.KeptDeliveries:   {age, {Need: store.NeedWebhook}, {Need: store.NeedRun}},
		millrace.KeptEvents:       {{Need: store.NeedMatch}, {Need: store.NeedDelivery}, {Need: store.NeedWorkflowRun}},
		millrace.KeptWorkflowRuns: {{Need: store.NeedOpen}, {Need: store.NeedSlot}, age, longest},
		millrace.KeptSyncJobRuns:  {{Need: store.NeedOpen}, age, {Need: store.NeedLine}, {Need: store.NeedPrevious}},
		millrace.KeptRunLogs:      nil,
		millrace.KeptCallLogs:     nil,
		millrace.KeptAudit:        nil,
		millrace.KeptFires:        {age, {Need: store.NeedScheduled}},
		millrace.KeptInboundHooks: {{Need: store.NeedOpen}},
	}
	for _, kind := range millrace.KeptKinds() {
		got, err := Needs(kind, before, now)
		if err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if diff := cmp.Diff(want[kind], got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", kind, diff)
		}
	}
	if got, err := Needs("secrets", before, now); err == nil {
		t.Errorf("of a kind that is unknown: got %v, want an error", got)
	}
}

// TestPruneRejectsAReasonOfAnotherKind shows that a reason that cannot be asked of a table stops the removal.
func TestPruneRejectsAReasonOfAnotherKind(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Rows().Prune(t.Context(), store.Prune{
				Kind: millrace.KeptEvents, Environment: "environment", Before: tx.Now(), Unless: []store.Needed{{Need: store.NeedSlot}}, Most: 1,
			})
			return err
		})
		if err == nil {
			t.Error("got no error")
		}
	})
}
