package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/millrace/millrace"
)

func inboundHookTable(db *DB) *table[millrace.InboundHook] {
	type row = millrace.InboundHook
	return &table[row]{
		name: "inbound_hook", what: "inbound hook", dialect: db.dialect,
		columns: []column[row]{
			text("id", func(v *row) *millrace.InboundHookID { return &v.ID }),
			text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			text("environment_integration_id", func(v *row) *millrace.EnvironmentIntegrationID { return &v.EnvironmentIntegrationID }),
			text("integrated_account_id", func(v *row) *millrace.IntegratedAccountID { return &v.IntegratedAccountID }),
			document("integrated_account_ids", func(v *row) *json.RawMessage { return &v.AccountIDs }),
			hidden(text("batch_id", func(v *row) *millrace.BatchID { return &v.BatchID })),
			text("status", func(v *row) *millrace.InboundStatus { return &v.Status }),
			text("method", func(v *row) *string { return &v.Method }),
			text("content_type", func(v *row) *string { return &v.ContentType }),
			number("size", func(v *row) *int64 { return &v.Size }),
			sealed(db, "inbound_hook", "header", func(v *row) *json.RawMessage { return &v.Header }),
			sealedText(db, "inbound_hook", "query", func(v *row) *string { return &v.Query }),
			sealed(db, "inbound_hook", "body", func(v *row) *json.RawMessage { return &v.Body }),
			hidden(text("replay_key", func(v *row) *string { return &v.ReplayKey })),
			text("duplicate_of", func(v *row) *millrace.InboundHookID { return &v.DuplicateOf }),
			document("error", func(v *row) *json.RawMessage { return &v.Error }),
			document("evaluation", func(v *row) *json.RawMessage { return &v.Evaluation }),
			number("event_count", func(v *row) *int64 { return &v.EventCount }),
			document("event_ids", func(v *row) *json.RawMessage { return &v.EventIDs }),
			stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			stamp("evaluated_at", func(v *row) *millrace.Time { return &v.EvaluatedAt }),
		},
		fill:  func(tx *Tx, v *row) { newRow(tx, &v.ID, &v.CreatedAt) },
		touch: func(tx *Tx, v *row) { v.EvaluatedAt = tx.Now() },
	}
}

// InsertInboundHook adds an inbound hook that has no replay key, and fills in its id and time.
func (tx *Tx) InsertInboundHook(ctx context.Context, v *millrace.InboundHook) error {
	return tx.db.tables.inboundHook.insert(ctx, tx, v)
}

// InsertInboundHooks adds inbound hooks and fills in their ids and times. One that is there already counts as added: the ids are
// our own, so it comes from a commit whose outcome was unknown. One whose replay key another has that was stored
// within its window is not added. It returns, for each, the id of the hook that has its key: its own, or the other one's. A
// window of 0 has no end.
func (tx *Tx) InsertInboundHooks(ctx context.Context, hooks []*millrace.InboundHook, windows []time.Duration) ([]millrace.InboundHookID, error) {
	if err := tx.forgetReplayKeys(ctx, hooks, windows); err != nil {
		return nil, err
	}
	t := tx.db.tables.inboundHook
	added, err := t.insertAllNew(ctx, tx, hooks)
	if err != nil {
		return nil, err
	}
	counts := make([]millrace.InboundHookID, len(hooks))
	for i, v := range hooks {
		if counts[i] = v.ID; added[string(v.ID)] {
			continue
		}
		earlier, err := t.find(ctx, tx, "replay_key = $1 AND replay_key <> '' AND environment_id = $2", v.ReplayKey, string(v.EnvironmentID))
		if err != nil {
			return nil, err
		}
		if earlier == nil { // its own row, of a commit that got no response
			earlier, err = t.get(ctx, tx, v.EnvironmentID, string(v.ID), "")
		}
		if err != nil {
			return nil, err
		}
		counts[i] = earlier.ID
	}
	return counts, nil
}

// forgetReplayKeys frees the replay keys of hooks that other hooks have which are older than the window.
func (tx *Tx) forgetReplayKeys(ctx context.Context, hooks []*millrace.InboundHook, windows []time.Duration) error {
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
		args := append([]any{int64(tx.Now()) - g.window.Microseconds(), string(g.env)}, padded(keys[g])...)
		_, err := tx.exec(ctx, "UPDATE inbound_hook SET replay_key = '' WHERE replay_key <> '' AND created_at < $1 AND environment_id = $2 AND replay_key IN ("+
			placeholdersFrom(3, len(args)-2)+")", args...)
		if err != nil {
			return fmt.Errorf("forget replay keys: %w", err)
		}
	}
	return nil
}

// InboundHook returns an inbound hook of the environment, or an error of KindNotFound.
func (tx *Tx) InboundHook(ctx context.Context, env millrace.EnvironmentID, id millrace.InboundHookID) (*millrace.InboundHook, error) {
	return tx.db.tables.inboundHook.get(ctx, tx, env, string(id), "")
}

// OpenInboundHooks returns the ids of the hooks of a batch whose evaluation is due, in the order in which they came.
func (tx *Tx) OpenInboundHooks(ctx context.Context, batch millrace.BatchID) ([]millrace.InboundHookID, error) {
	out, err := readIDs[millrace.InboundHookID](ctx, tx, "SELECT id FROM inbound_hook WHERE batch_id = $1 AND status = 'accepted' ORDER BY created_at, id",
		string(batch))
	if err != nil {
		return nil, fmt.Errorf("read open inbound hooks: %w", err)
	}
	return out, nil
}

// OpenInboundHook returns an inbound hook whose evaluation is due, or nil.
func (tx *Tx) OpenInboundHook(ctx context.Context, id millrace.InboundHookID) (*millrace.InboundHook, error) {
	return tx.db.tables.inboundHook.find(ctx, tx, "id = $1 AND status = 'accepted'", string(id))
}

// ListInboundHooks returns one page of the environment's inbound hooks. It returns an error of KindInvalid for a field,
// operator or cursor that it does not know.
func (tx *Tx) ListInboundHooks(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.InboundHook], error) {
	return tx.db.tables.inboundHook.list(ctx, tx, env, q)
}

// FinishInboundHook writes what became of an inbound hook whose evaluation was due, and reports whether it still was. What came
// in stays as it is, and so does its replay key, unless the hook has none any more.
func (tx *Tx) FinishInboundHook(ctx context.Context, v *millrace.InboundHook) (bool, error) {
	v.EvaluatedAt = tx.Now()
	query := "UPDATE inbound_hook SET status = $2, error = $3, evaluation = $4, event_count = $5, event_ids = $6, evaluated_at = $7"
	if v.ReplayKey == "" {
		query += ", replay_key = ''"
	}
	n, err := tx.exec(ctx, query+" WHERE id = $1 AND status = 'accepted'", string(v.ID), string(v.Status), string(v.Error), string(v.Evaluation),
		v.EventCount, string(v.EventIDs), int64(v.EvaluatedAt))
	if err != nil {
		return false, fmt.Errorf("finish inbound hook: %w", err)
	}
	return n > 0, nil
}

// EnvironmentOfAccount returns the environment of the integrated account that may be addressed by its id alone, or an error
// of KindNotFound. It is for inbound hooks whose address names no environment.
func (tx *Tx) EnvironmentOfAccount(ctx context.Context, id millrace.IntegratedAccountID) (millrace.EnvironmentID, error) {
	return tx.environmentOf(ctx, "integrated_account", "integrated account", string(id))
}

// EnvironmentOfInstall returns the environment of the installed integration that may be addressed by its id alone, or an
// error of KindNotFound. It is for inbound hooks whose address names no environment.
func (tx *Tx) EnvironmentOfInstall(ctx context.Context, id millrace.EnvironmentIntegrationID) (millrace.EnvironmentID, error) {
	return tx.environmentOf(ctx, "environment_integration", "environment integration", string(id))
}

// environmentOf prefers the row that had the id first: of two, the later one was given an id that was known already.
func (tx *Tx) environmentOf(ctx context.Context, table, what, id string) (millrace.EnvironmentID, error) {
	var env millrace.EnvironmentID
	found, err := tx.one(ctx, "SELECT environment_id FROM "+table+" WHERE id = $1 AND addressable = TRUE ORDER BY created_at, environment_id LIMIT 1",
		[]any{id}, (*string)(&env))
	if err != nil {
		return "", fmt.Errorf("read environment of %s: %w", what, err)
	}
	if !found {
		return "", millrace.NotFound(what, id)
	}
	return env, nil
}
