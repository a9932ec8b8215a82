package accounts

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"

	"github.com/millrace/millrace"
)

// Hooks are the inbound hooks.
type Hooks struct{ tx *sqldb.Tx }

// NewHooks returns the handle of the inbound hooks.
func NewHooks(tx *sqldb.Tx) Hooks { return Hooks{tx} }

var inboundHookTable = sync.OnceValue(func() *table.Table[millrace.InboundHook] { //nolint:gochecknoglobals // a constant that cannot be written as one
	type row = millrace.InboundHook
	return &table.Table[row]{
		Name: "inbound_hook", What: "inbound hook",
		Status: table.NewMachine("inbound_hook", "inbound hook", millrace.InboundStatuses()),
		Columns: []table.Column[row]{
			table.Text("id", func(v *row) *millrace.InboundHookID { return &v.ID }),
			table.Text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			table.Text("environment_integration_id", func(v *row) *millrace.EnvironmentIntegrationID { return &v.EnvironmentIntegrationID }),
			table.Text("integrated_account_id", func(v *row) *millrace.IntegratedAccountID { return &v.IntegratedAccountID }),
			table.Document("integrated_account_ids", func(v *row) *json.RawMessage { return &v.AccountIDs }),
			table.Hidden(table.Text("batch_id", func(v *row) *millrace.BatchID { return &v.BatchID })),
			table.Hidden(table.Text("traceparent", func(v *row) *string { return &v.Traceparent })),
			table.Text("status", func(v *row) *millrace.InboundStatus { return &v.Status }),
			table.Text("method", func(v *row) *string { return &v.Method }),
			table.Text("content_type", func(v *row) *string { return &v.ContentType }),
			table.Number("size", func(v *row) *int64 { return &v.Size }),
			table.Sealed("inbound_hook", "header", func(v *row) *json.RawMessage { return &v.Header }),
			table.SealedText("inbound_hook", "query", func(v *row) *string { return &v.Query }),
			table.Sealed("inbound_hook", "body", func(v *row) *json.RawMessage { return &v.Body }),
			table.Hidden(table.Text("replay_key", func(v *row) *string { return &v.ReplayKey })),
			table.Text("duplicate_of", func(v *row) *millrace.InboundHookID { return &v.DuplicateOf }),
			table.Document("error", func(v *row) *json.RawMessage { return &v.Error }),
			table.Document("evaluation", func(v *row) *json.RawMessage { return &v.Evaluation }),
			table.Number("event_count", func(v *row) *int64 { return &v.EventCount }),
			table.Document("event_ids", func(v *row) *json.RawMessage { return &v.EventIDs }),
			table.Stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			table.Stamp("evaluated_at", func(v *row) *millrace.Time { return &v.EvaluatedAt }),
		},
		Fill:  func(tx *sqldb.Tx, v *row) { table.NewRow(tx, &v.ID, &v.CreatedAt) },
		Touch: func(tx *sqldb.Tx, v *row) { v.EvaluatedAt = tx.Now() },
	}
})

// Create adds an inbound hook that has no replay key, and fills in its id and time.
func (h Hooks) Create(ctx context.Context, v *millrace.InboundHook) error {
	return inboundHookTable().Insert(ctx, h.tx, v)
}

// CreateAll adds inbound hooks and fills in their ids and times. One that is there already counts as added: the ids are
// our own, so it comes from a commit whose outcome was unknown. One whose replay key another has that was stored
// within its window is not added. It returns, for each, the id of the hook that has its key: its own, or the other one's. A
// window of 0 has no end.
func (h Hooks) CreateAll(ctx context.Context, hooks []*millrace.InboundHook, windows []time.Duration) ([]millrace.InboundHookID, error) {
	if err := h.pruneReplayKeys(ctx, hooks, windows); err != nil {
		return nil, err
	}
	t := inboundHookTable()
	added, err := t.InsertAllNew(ctx, h.tx, hooks)
	if err != nil {
		return nil, err
	}
	counts := make([]millrace.InboundHookID, len(hooks))
	for i, v := range hooks {
		if counts[i] = v.ID; added[string(v.ID)] {
			continue
		}
		earlier, err := t.Find(ctx, h.tx, "replay_key = $1 AND replay_key <> '' AND environment_id = $2", v.ReplayKey, string(v.EnvironmentID))
		if err != nil {
			return nil, err
		}
		if earlier == nil { // its own row, of a commit that got no response
			earlier, err = t.Get(ctx, h.tx, v.EnvironmentID, string(v.ID), "")
		}
		if err != nil {
			return nil, err
		}
		counts[i] = earlier.ID
	}
	return counts, nil
}

// pruneReplayKeys frees the replay keys of hooks that other hooks have which are older than the window.
func (h Hooks) pruneReplayKeys(ctx context.Context, hooks []*millrace.InboundHook, windows []time.Duration) error {
	type group struct {
		window time.Duration
		env    millrace.EnvironmentID
	}
	keys := map[group][]string{}
	for i, v := range hooks {
		if g := (group{windows[i], v.EnvironmentID}); v.ReplayKey != "" && g.window > 0 {
			keys[g] = append(keys[g], v.ReplayKey)
		}
	}
	order := func(a, b group) int { return cmp.Or(cmp.Compare(a.window, b.window), cmp.Compare(a.env, b.env)) }
	for _, g := range slices.SortedFunc(maps.Keys(keys), order) {
		args := append([]any{int64(h.tx.Now()) - g.window.Microseconds(), string(g.env)}, table.Padded(keys[g])...)
		_, err := h.tx.Exec(ctx, "UPDATE inbound_hook SET replay_key = '' WHERE replay_key <> '' AND created_at < $1 AND environment_id = $2 AND replay_key IN ("+
			table.PlaceholdersFrom(3, len(args)-2)+")", args...)
		if err != nil {
			return fmt.Errorf("forget replay keys: %w", err)
		}
	}
	return nil
}

// Get returns an inbound hook of the environment, or an error of KindNotFound.
func (h Hooks) Get(ctx context.Context, env millrace.EnvironmentID, id millrace.InboundHookID) (*millrace.InboundHook, error) {
	return inboundHookTable().Get(ctx, h.tx, env, string(id), "")
}

// OpenOf returns the ids of the hooks of a batch whose evaluation is due, in the order in which they came.
func (h Hooks) OpenOf(ctx context.Context, batch millrace.BatchID) ([]millrace.InboundHookID, error) {
	out, err := table.ReadIDs[millrace.InboundHookID](ctx, h.tx, "SELECT id FROM inbound_hook WHERE batch_id = $1 AND status = 'accepted' ORDER BY created_at, id",
		string(batch))
	if err != nil {
		return nil, fmt.Errorf("read open inbound hooks: %w", err)
	}
	return out, nil
}

// GetOpen returns an inbound hook whose evaluation is due, or nil.
func (h Hooks) GetOpen(ctx context.Context, id millrace.InboundHookID) (*millrace.InboundHook, error) {
	return inboundHookTable().Find(ctx, h.tx, "id = $1 AND status = 'accepted'", string(id))
}

// List returns one page of the environment's inbound hooks. It returns an error of KindInvalid for a field,
// operator or cursor that it does not know.
func (h Hooks) List(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.InboundHook], error) {
	return inboundHookTable().List(ctx, h.tx, env, q)
}

// Finish stores the outcome of an inbound hook whose evaluation was due, and reports whether it still was. What came
// in stays unchanged, and so does its replay key, unless the hook has none any more.
func (h Hooks) Finish(ctx context.Context, v *millrace.InboundHook) (bool, error) {
	if !millrace.InboundAccepted.Next(v.Status) {
		return false, millrace.Errorf(millrace.KindConflict, "an inbound hook whose evaluation is due cannot become %s", v.Status)
	}
	v.EvaluatedAt = h.tx.Now()
	query := "UPDATE inbound_hook SET status = $2, error = $3, evaluation = $4, event_count = $5, event_ids = $6, evaluated_at = $7"
	if v.ReplayKey == "" {
		query += ", replay_key = ''"
	}
	n, err := h.tx.Exec(ctx, query+" WHERE id = $1 AND status = 'accepted'", string(v.ID), string(v.Status), string(v.Error), string(v.Evaluation),
		v.EventCount, string(v.EventIDs), int64(v.EvaluatedAt))
	if err != nil {
		return false, fmt.Errorf("finish inbound hook: %w", err)
	}
	return n > 0, nil
}

// EnvironmentOf returns the environment of the integrated account that may be addressed by its id alone, or an error
// of KindNotFound. It is for inbound hooks whose address names no environment.
func (h Accounts) EnvironmentOf(ctx context.Context, id millrace.IntegratedAccountID) (millrace.EnvironmentID, error) {
	return environmentOf(ctx, h.tx, "integrated_account", "integrated account", string(id))
}

// EnvironmentOf returns the environment of the installed integration that may be addressed by its id alone, or an
// error of KindNotFound. It is for inbound hooks whose address names no environment.
func (h Installs) EnvironmentOf(ctx context.Context, id millrace.EnvironmentIntegrationID) (millrace.EnvironmentID, error) {
	return environmentOf(ctx, h.tx, "environment_integration", "environment integration", string(id))
}

// environmentOf prefers the row that had the id first: of two, the later one was given an id that was known already.
func environmentOf(ctx context.Context, tx *sqldb.Tx, table, what, id string) (millrace.EnvironmentID, error) {
	var env millrace.EnvironmentID
	found, err := tx.One(ctx, "SELECT environment_id FROM "+table+" WHERE id = $1 AND addressable = TRUE ORDER BY created_at, environment_id LIMIT 1",
		[]any{id}, (*string)(&env))
	if err != nil {
		return "", fmt.Errorf("read environment of %s: %w", what, err)
	}
	if !found {
		return "", millrace.NotFound(what, id)
	}
	return env, nil
}
