package workflows

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"

	"github.com/millrace/millrace"
)

// FanOut returns how many workflow runs events from outside have caused, as far as that is counted: an event whose runs are
// All stored at once, and caused none besides, has no row.
func (h Events) FanOut(ctx context.Context, env millrace.EnvironmentID, roots []millrace.EventID) (map[millrace.EventID]int64, error) {
	return h.fanOut(ctx, env, roots, "")
}

func (h Events) fanOut(ctx context.Context, env millrace.EnvironmentID, roots []millrace.EventID, suffix string) (map[millrace.EventID]int64, error) {
	out := map[millrace.EventID]int64{}
	if len(roots) == 0 {
		return out, nil
	}
	args := append(table.Padded(roots), string(env))
	query := fmt.Sprintf("SELECT root_event_id, runs FROM fan_out WHERE root_event_id IN (%s) AND environment_id = $%d ORDER BY root_event_id",
		table.Placeholders(len(args)-1), len(args)) + suffix
	err := h.tx.Each(ctx, query, args, func(r sqldb.Rows) error {
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
func (h Events) LockFanOut(ctx context.Context, env millrace.EnvironmentID, roots []millrace.EventID) (map[millrace.EventID]int64, error) {
	counted, err := h.fanOut(ctx, env, roots, h.tx.Dialect().ForUpdate())
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
		_, err := h.tx.Exec(ctx, `INSERT INTO fan_out (root_event_id, environment_id, runs, created_at)
VALUES ($1, $2, (SELECT COUNT(*) FROM workflow_run WHERE event_id = $1 AND environment_id = $2), $3) ON CONFLICT DO NOTHING`, string(root), string(env), int64(h.tx.Now()))
		if err != nil {
			return nil, fmt.Errorf("begin to count fan-out: %w", err)
		}
	}
	return h.fanOut(ctx, env, roots, h.tx.Dialect().ForUpdate())
}

// AddFanOut counts more workflow runs. The caller has locked the counts.
func (h Events) AddFanOut(ctx context.Context, env millrace.EnvironmentID, runs map[millrace.EventID]int64) error {
	for roots := slices.Sorted(maps.Keys(runs)); len(roots) > 0; {
		n := table.RowsAtOnce(len(roots))
		var args []any
		values := make([]string, n)
		for i, root := range roots[:n] {
			values[i] = "(" + table.PlaceholdersFrom(len(args)+1, 4) + ")"
			args = append(args, string(root), string(env), runs[root], int64(h.tx.Now()))
		}
		_, err := h.tx.Exec(ctx, "INSERT INTO fan_out (root_event_id, environment_id, runs, created_at) VALUES "+strings.Join(values, ", ")+
			" ON CONFLICT (root_event_id, environment_id) DO UPDATE SET runs = fan_out.runs + excluded.runs", args...)
		if err != nil {
			return fmt.Errorf("count fan-out: %w", err)
		}
		roots = roots[n:]
	}
	return nil
}
