package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// Scope is what expressions and placeholders of a node see. It is immutable: the methods return changed copies that
// share what did not change.
type Scope struct {
	Root *jsonata.Object
}

// NewScope is the scope of a run before it has fetched anything: the public context of its account at the top, and
// over it args, sync_job_run, tenant_id and previous_run_date. Credentials are not in the public context.
func NewScope(run *millrace.SyncJobRun, account *millrace.IntegratedAccount, previous string) (Scope, error) {
	root := jsonata.NewObject(16)
	if account != nil {
		if err := expr.SetMembers(root, account.ReadContext()); err != nil {
			return Scope{}, fmt.Errorf("read account context: %w", err)
		}
		root.Set("tenant_id", account.TenantID)
	}
	args := jsonata.NewObject(8)
	if err := expr.SetMembers(args, run.Args); err != nil {
		return Scope{}, fmt.Errorf("read args: %w", err)
	}
	root.Set("args", args)
	started := *run
	started.FinishedAt, started.IsPartial, started.ErrorCount, started.WaitReason = 0, false, 0, ""
	row, err := runScope(&started)
	if err != nil {
		return Scope{}, err
	}
	root.Set("sync_job_run", row)
	root.Delete("previous_run_date")
	if previous != "" {
		root.Set("previous_run_date", previous)
	}
	root.Set("resources", jsonata.NewObject(0))
	return Scope{Root: root}, nil
}

// runScope is the row of the run as expressions see it: its times are dates with methods. What changes while it runs
// is left out.
func runScope(run *millrace.SyncJobRun) (*jsonata.Object, error) {
	shown := *run
	shown.Resources, shown.ResourceStats = nil, nil
	raw, err := json.Marshal(&shown)
	if err != nil {
		return nil, fmt.Errorf("encode sync job run: %w", err)
	}
	row := jsonata.NewObject(24)
	if err := expr.SetMembers(row, raw); err != nil {
		return nil, fmt.Errorf("read sync job run: %w", err)
	}
	for _, key := range []string{"resources", "resource_stats", "retry_at", "parked_since", "error", "first_error", "wait_reason"} {
		row.Delete(key)
	}
	for key, at := range map[string]millrace.Time{"started_at": run.StartedAt, "created_at": run.CreatedAt, "updated_at": run.UpdatedAt, "finished_at": run.FinishedAt} {
		if at != 0 {
			row.Set(key, expr.NewDate(at.Std()))
		} else {
			row.Delete(key)
		}
	}
	return row, nil
}

// WithRun shows another state of the run.
func (s Scope) WithRun(run *millrace.SyncJobRun) (Scope, error) {
	row, err := runScope(run)
	if err != nil {
		return Scope{}, err
	}
	return s.With("sync_job_run", row), nil
}

// WithOutput adds what a node puts out, one record or a batch of them: under the node's name and at the path of the
// Resource the records come from.
func (s Scope) WithOutput(n *Node, v jsonata.Value) Scope {
	if n.Virtual() || n.Acts() {
		return s
	}
	root := SetPath(s.Root, v, "resources", n.Name)
	if n.origin != nil {
		root = SetPath(root, v, "resources", n.origin.Request.path...)
	}
	return Scope{Root: root}
}

// WithElement puts the current element of a loop where the loop's array was.
func (s Scope) WithElement(l *LoopPath, element jsonata.Value) Scope {
	return Scope{Root: SetPath(s.Root, element, l.first, l.rest...)}
}

// Reserved are the names that no add_context can replace.
func Reserved() []string { return []string{"args", "resources", "sync_job_run", "tenant_id"} }

// WithContext adds the names that add_context nodes returned, and below resources what get_state nodes have read.
func (s Scope) WithContext(added *jsonata.Object) Scope {
	if added == nil || added.Len() == 0 {
		return s
	}
	root := expr.CopyObject(s.Root, added.Len())
	for key, v := range added.All() {
		read, ok := v.(*jsonata.Object)
		if key != "resources" || !ok {
			root.Set(key, v)
			continue
		}
		for name, out := range read.All() {
			root = SetPath(root, out, key, name)
		}
	}
	return Scope{Root: root}
}

// With adds one name.
func (s Scope) With(key string, v jsonata.Value) Scope {
	root := expr.CopyObject(s.Root, 1)
	root.Set(key, v)
	return Scope{Root: root}
}

// SetPath returns o with v at the path of head and rest. Objects and arrays on the way are copied, anything else on the
// way is replaced.
func SetPath(o *jsonata.Object, v jsonata.Value, head string, rest ...string) *jsonata.Object {
	out := expr.CopyObject(o, 1)
	child, _ := o.Get(head)
	out.Set(head, setBelow(child, v, rest))
	return out
}

// setBelow returns child with v at a path in it. A number leads into an array.
func setBelow(child, v jsonata.Value, path []string) jsonata.Value {
	if len(path) == 0 {
		return v
	}
	if list, ok := child.(*jsonata.Array); ok {
		if i, err := strconv.Atoi(path[0]); err == nil && i >= 0 && i < list.Len() {
			items := slices.Clone(list.Items())
			items[i] = setBelow(items[i], v, path[1:])
			return jsonata.NewArray(items...)
		}
	}
	next, ok := child.(*jsonata.Object)
	if !ok {
		next = jsonata.NewObject(1)
	}
	return SetPath(next, v, path[0], path[1:]...)
}
