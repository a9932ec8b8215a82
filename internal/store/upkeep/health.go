package upkeep

import (
	"context"
	"fmt"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store/sqldb"
)

// Health is what the database says about how the server is. Each statement is cheap however many rows there are.
type Health struct {
	Schema   int64 // the highest number of a migration
	SchemaAt millrace.Time
	Bytes    int64       // of the database
	Nodes    []Node      // of PostgreSQL, by when they began
	Tasks    []TaskDepth // of the queue, of kinds that have any
	Cleanups map[millrace.Kept]Cleanup

	// Of PostgreSQL only.
	Connections, MaxConnections int64         // of all its databases
	Archived, ArchiveFailed     millrace.Time // when a segment of its log was last archived, and when that last failed; 0: never
}

// Node is a process that uses the database.
type Node struct {
	ID        string
	Version   string        // empty: one that does not say so
	StartedAt millrace.Time // 0: one that does not say so
	SeenAt    millrace.Time
	Silent    int64 // microseconds since then, by the clock of the database
	Leads     bool
	Works     []TaskDepth // what it works on
}

// TaskDepth is how many tasks of a kind there are; a number of [DepthCounted] stands for that many or more.
type TaskDepth struct {
	Kind                        millrace.TaskKind
	Ready, Running, Later, Line int64
	Oldest                      millrace.Time // since when the oldest that is ready could have been worked on; 0: none
}

// Cleanup is what the last removal of old rows of a kind has removed.
type Cleanup struct {
	Removed int64
	EndedAt millrace.Time
}

// DepthCounted bounds how many tasks of a kind are counted.
const DepthCounted = 1000

// Health reads how the server is.
func (h Rows) Health(ctx context.Context) (*Health, error) {
	out := &Health{Cleanups: map[millrace.Kept]Cleanup{}}
	postgres := h.tx.Dialect().Name() == "postgres"
	reads := []func(context.Context, *Health) error{h.readSchema, h.readTasks, h.readCleanups}
	if postgres {
		reads = append(reads, h.readNodes, h.readPostgres)
	}
	for _, read := range reads {
		if err := read(ctx, out); err != nil {
			return nil, fmt.Errorf("read health: %w", err)
		}
	}
	return out, nil
}

func (h Rows) readSchema(ctx context.Context, out *Health) error {
	var err error
	if out.Bytes, err = h.databaseBytes(ctx); err != nil {
		return err
	}
	_, err = h.tx.One(ctx, "SELECT version, applied_at FROM schema_migration ORDER BY version DESC LIMIT 1", nil, &out.Schema, (*int64)(&out.SchemaAt))
	return err
}

// readTasks counts by indexes that begin with the state and the kind, or the kind.
func (h Rows) readTasks(ctx context.Context, out *Health) error {
	oldest := "COALESCE(CAST(unixepoch(MIN(at), 'subsec') * 1000000 AS INTEGER), 0)"
	if h.tx.Dialect().Name() == "postgres" {
		oldest = "COALESCE((extract(epoch FROM MIN(at)) * 1000000)::bigint, 0)"
	}
	var parts []string
	for _, kind := range millrace.TaskKinds() {
		for _, state := range []string{"available", "running", "scheduled", "retryable"} {
			parts = append(parts, fmt.Sprintf("SELECT '%s' AS kind, '%s' AS state, COUNT(*) AS n, %s AS oldest FROM (SELECT scheduled_at AS at FROM river_job WHERE state = '%s' AND queue = '%s' ORDER BY priority, scheduled_at LIMIT %d) AS t",
				kind, state, oldest, state, kind, DepthCounted))
		}
		parts = append(parts, fmt.Sprintf("SELECT '%s', 'line', COUNT(*), 0 FROM (SELECT 1 FROM waiting_task WHERE kind = '%s' ORDER BY environment_id, turn, id LIMIT %d) AS t", kind, kind, DepthCounted))
	}
	of := map[millrace.TaskKind]*TaskDepth{}
	err := h.tx.Each(ctx, strings.Join(parts, " UNION ALL "), nil, func(r sqldb.Rows) error {
		var kind, state string
		var n, oldest int64
		if err := r.Scan(&kind, &state, &n, &oldest); err != nil {
			return err
		}
		d := of[millrace.TaskKind(kind)]
		if d == nil {
			d = &TaskDepth{Kind: millrace.TaskKind(kind)}
			of[d.Kind] = d
		}
		d.add(state, n)
		if state == "available" {
			d.Oldest = millrace.Time(oldest)
		}
		return nil
	})
	for _, kind := range millrace.TaskKinds() {
		if d := of[kind]; d != nil && d.Ready+d.Running+d.Later+d.Line > 0 {
			out.Tasks = append(out.Tasks, *d)
		}
	}
	return err
}

func (d *TaskDepth) add(state string, n int64) {
	switch state {
	case "available":
		d.Ready += n
	case "running":
		d.Running += n
	case "line":
		d.Line += n
	default:
		d.Later += n
	}
}

func (h Rows) readCleanups(ctx context.Context, out *Health) error {
	return h.tx.Each(ctx, "SELECT kind, removed, ended_at FROM cleanup", nil, func(r sqldb.Rows) error {
		var kind string
		var c Cleanup
		err := r.Scan(&kind, &c.Removed, (*int64)(&c.EndedAt))
		out.Cleanups[millrace.Kept(kind)] = c
		return err
	})
}

func (h Rows) readNodes(ctx context.Context, out *Health) error {
	at := map[string]int{}
	err := h.tx.Each(ctx, `SELECT n.id, n.version, n.started_at, n.seen_at, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - n.seen_at,
EXISTS (SELECT 1 FROM river_leader AS l WHERE l.leader_id = n.id AND l.expires_at > now()) FROM node AS n ORDER BY n.started_at, n.id`, nil, func(r sqldb.Rows) error {
		var n Node
		err := r.Scan(&n.ID, &n.Version, (*int64)(&n.StartedAt), (*int64)(&n.SeenAt), &n.Silent, &n.Leads)
		at[n.ID] = len(out.Nodes)
		out.Nodes = append(out.Nodes, n)
		return err
	})
	if err != nil {
		return err
	}
	// There are as many that run as there are workers.
	return h.tx.Each(ctx, `SELECT attempted_by[array_upper(attempted_by, 1)] AS node, queue, COUNT(*) FROM river_job WHERE state = 'running'
GROUP BY 1, 2 ORDER BY 1, 2`, nil, func(r sqldb.Rows) error {
		var node, kind string
		var n int64
		err := r.Scan(&node, &kind, &n)
		if i, ok := at[node]; ok {
			out.Nodes[i].Works = append(out.Nodes[i].Works, TaskDepth{Kind: millrace.TaskKind(kind), Running: n})
		}
		return err
	})
}

func (h Rows) readPostgres(ctx context.Context, out *Health) error {
	_, err := h.tx.One(ctx, `SELECT (SELECT COALESCE(SUM(numbackends), 0)::bigint FROM pg_stat_database), current_setting('max_connections')::bigint,
COALESCE((extract(epoch FROM last_archived_time) * 1000000)::bigint, 0), COALESCE((extract(epoch FROM last_failed_time) * 1000000)::bigint, 0) FROM pg_stat_archiver`,
		nil, &out.Connections, &out.MaxConnections, (*int64)(&out.Archived), (*int64)(&out.ArchiveFailed))
	return err
}

// Cleaned stores what a removal of old rows has removed, by kind.
func (h Rows) Cleaned(ctx context.Context, removed map[millrace.Kept]int64) error {
	for _, kind := range millrace.KeptKinds() {
		n, looked := removed[kind]
		if !looked {
			continue
		}
		_, err := h.tx.Exec(ctx, `INSERT INTO cleanup (kind, removed, ended_at) VALUES ($1, $2, $3)
ON CONFLICT (kind) DO UPDATE SET removed = excluded.removed, ended_at = excluded.ended_at`, string(kind), n, int64(h.tx.Now()))
		if err != nil {
			return fmt.Errorf("store what was removed: %w", err)
		}
	}
	return nil
}
