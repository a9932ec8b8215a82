package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/millrace/millrace"
)

// nodeAlive is how long after its last heartbeat a node counts as alive.
const nodeAlive = 15 * time.Second

// NodeKeys are the encryption keys of a node of PostgreSQL that is alive, by their ids in hexadecimal digits, the one that it
// encrypts with first. A node of an older version has none here.
type NodeKeys struct {
	Node string
	Keys []string
}

// EnterNode says that a node is alive, which version it is, and which encryption keys it has. Its heartbeats repeat that.
func (db *DB) EnterNode(ctx context.Context, node string, keys []string) error {
	up := time.Since(db.opened).Microseconds() // clocks differ, and all times here are of the database's
	_, err := db.Postgres().Exec(ctx, `INSERT INTO node (id, seen_at, keys, version, started_at)
SELECT $1, at, $2, $3, at - $4 FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS at) AS now
ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, keys = excluded.keys`, node, strings.Join(keys, " "), millrace.Version(), up)
	if err != nil {
		return fmt.Errorf("write heartbeat: %w", err)
	}
	return nil
}

// LeaveNode says that a node is gone. It does not wait long for a database that does not respond: others notice anyway.
func (db *DB) LeaveNode(ctx context.Context, node string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if _, err := db.Postgres().Exec(ctx, "DELETE FROM node WHERE id = $1", node); err != nil {
		return fmt.Errorf("remove heartbeat: %w", err)
	}
	return nil
}

// Shared reports whether more than one node works on the database.
func (db *DB) Shared(ctx context.Context) (bool, error) {
	if db.Postgres() == nil {
		return false, nil
	}
	var n int
	if err := db.Postgres().QueryRow(ctx, "SELECT count(*) FROM node").Scan(&n); err != nil {
		return false, fmt.Errorf("count nodes: %w", err)
	}
	return n > 1, nil
}

// OtherNodes returns the nodes that are alive beside some.
func (db *DB) OtherNodes(ctx context.Context, but []string) ([]NodeKeys, error) {
	rows, err := db.Postgres().Query(ctx, `SELECT id, keys FROM node WHERE NOT id = ANY ($1)
AND seen_at > (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - $2 ORDER BY id`, but, nodeAlive.Microseconds())
	if err != nil {
		return nil, fmt.Errorf("look at other nodes: %w", err)
	}
	defer rows.Close()
	var out []NodeKeys
	for rows.Next() {
		var n NodeKeys
		var keys string
		if err := rows.Scan(&n.Node, &keys); err != nil {
			return nil, fmt.Errorf("look at other nodes: %w", err)
		}
		n.Keys = strings.Fields(keys)
		out = append(out, n)
	}
	return out, rows.Err()
}
