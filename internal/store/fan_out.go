package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/millrace/millrace"
)

// FanOut returns how many workflow runs events from outside have caused, as far as that is counted: an event whose runs are
// all stored at once, and caused none besides, has no row.
func (tx *Tx) FanOut(ctx context.Context, env millrace.EnvironmentID, roots []millrace.EventID) (map[millrace.EventID]int64, error) {
	return tx.fanOut(ctx, env, roots, "")
}

func (tx *Tx) fanOut(ctx context.Context, env millrace.EnvironmentID, roots []millrace.EventID, suffix string) (map[millrace.EventID]int64, error) {
	out := map[millrace.EventID]int64{}
	if len(roots) == 0 {
		return out, nil
	}
	args := append(padded(roots), string(env))
	query := fmt.Sprintf("SELECT root_event_id, runs FROM fan_out WHERE root_event_id IN (%s) AND environment_id = $%d ORDER BY root_event_id",
		placeholders(len(args)-1), len(args)) + suffix
	err := tx.each(ctx, query, args, func(r rows) error {
		var root string
		var runs int64
		err := r.Scan(&root, &runs)
		out[millrace.EventID(root)] = runs
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read fan-out: %w", err)
	}
	return out, nil
}

// LockFanOut returns how many workflow runs events from outside have caused, and keeps others from counting more of them until
// the transaction ends. The first time, the runs of the event itself are counted.
func (tx *Tx) LockFanOut(ctx context.Context, env millrace.EnvironmentID, roots []millrace.EventID) (map[millrace.EventID]int64, error) {
	counted, err := tx.fanOut(ctx, env, roots, tx.db.dialect.forUpdate())
	if err != nil || len(counted) == len(roots) {
		return counted, err
	}
	var fresh []millrace.EventID
	for _, root := range slices.Sorted(slices.Values(roots)) {
		if _, known := counted[root]; !known {
			fresh = append(fresh, root)
		}
	}
	for _, root := range fresh {
		_, err := tx.exec(ctx, `INSERT INTO fan_out (root_event_id, environment_id, runs, created_at)
VALUES ($1, $2, (SELECT COUNT(*) FROM workflow_run WHERE event_id = $1 AND environment_id = $2), $3) ON CONFLICT DO NOTHING`, string(root), string(env), int64(tx.Now()))
		if err != nil {
			return nil, fmt.Errorf("begin to count fan-out: %w", err)
		}
	}
	return tx.fanOut(ctx, env, roots, tx.db.dialect.forUpdate())
}

// AddFanOut counts more workflow runs. The caller has locked the counts.
func (tx *Tx) AddFanOut(ctx context.Context, env millrace.EnvironmentID, runs map[millrace.EventID]int64) error {
	for roots := slices.Sorted(maps.Keys(runs)); len(roots) > 0; {
		n := rowsAtOnce(len(roots))
		var args []any
		values := make([]string, n)
		for i, root := range roots[:n] {
			values[i] = "(" + placeholdersFrom(len(args)+1, 4) + ")"
			args = append(args, string(root), string(env), runs[root], int64(tx.Now()))
		}
		_, err := tx.exec(ctx, "INSERT INTO fan_out (root_event_id, environment_id, runs, created_at) VALUES "+strings.Join(values, ", ")+
			" ON CONFLICT (root_event_id, environment_id) DO UPDATE SET runs = fan_out.runs + excluded.runs", args...)
		if err != nil {
			return fmt.Errorf("count fan-out: %w", err)
		}
		roots = roots[n:]
	}
	return nil
}
