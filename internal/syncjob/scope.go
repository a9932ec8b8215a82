package syncjob

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// scope is what expressions and placeholders of a node see. It is immutable: the methods return changed copies that
// share what did not change.
type scope struct {
	root *jsonata.Object
}

// baseScope is the scope of a run before it has fetched anything: the public context of its account at the top, and
// over it args, sync_job_run, tenant_id and previous_run_date. Credentials are not in the public context.
func baseScope(run *millrace.SyncJobRun, account *millrace.IntegratedAccount, previous string) (scope, error) {
	root := jsonata.NewObject(16)
	if account != nil {
		if err := mergeJSON(root, account.Context); err != nil {
			return scope{}, fmt.Errorf("read account context: %w", err)
		}
		root.Set("tenant_id", account.TenantID)
	}
	args := jsonata.NewObject(8)
	if err := mergeJSON(args, run.Args); err != nil {
		return scope{}, fmt.Errorf("read args: %w", err)
	}
	root.Set("args", args)
	row, err := runScope(run)
	if err != nil {
		return scope{}, err
	}
	root.Set("sync_job_run", row)
	root.Delete("previous_run_date")
	if previous != "" {
		root.Set("previous_run_date", previous)
	}
	root.Set("resources", jsonata.NewObject(0))
	return scope{root: root}, nil
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
	if err := mergeJSON(row, raw); err != nil {
		return nil, fmt.Errorf("read sync job run: %w", err)
	}
	for _, key := range []string{"resources", "resource_stats", "retry_at", "parked_since", "finished_at", "error"} {
		row.Delete(key)
	}
	for key, at := range map[string]millrace.Time{"started_at": run.StartedAt, "created_at": run.CreatedAt, "updated_at": run.UpdatedAt} {
		if at != 0 {
			row.Set(key, expr.NewDate(at.Std()))
		}
	}
	return row, nil
}

// mergeJSON sets the members of a JSON object in o; nothing and null have none.
func mergeJSON(o *jsonata.Object, raw json.RawMessage) error {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	v, err := jsonata.FromJSON(raw)
	if err != nil {
		return err
	}
	source, ok := v.(*jsonata.Object)
	if !ok {
		return fmt.Errorf("not an object: %.40s", raw)
	}
	for key, member := range source.All() {
		o.Set(key, member)
	}
	return nil
}

// withOutput adds what a node puts out, one record or a batch of them: under the node's name and at the path of the
// resource the records come from.
func (s scope) withOutput(n *node, v jsonata.Value) scope {
	if n.virtual() || n.acts() {
		return s
	}
	root := setPath(s.root, v, "resources", n.name)
	if n.origin != nil {
		root = setPath(root, v, "resources", n.origin.request.path...)
	}
	return scope{root: root}
}

// withElement puts the current element of a loop where the loop's array was.
func (s scope) withElement(l *loopPath, element jsonata.Value) scope {
	return scope{root: setPath(s.root, element, l.first, l.rest...)}
}

// reserved are the names that no add_context can replace.
func reserved() []string { return []string{"args", "resources", "sync_job_run", "tenant_id"} }

// withContext adds the names that add_context nodes returned, and below resources what get_state nodes have read.
func (s scope) withContext(added *jsonata.Object) scope {
	if added == nil || added.Len() == 0 {
		return s
	}
	root := copyObject(s.root, added.Len())
	for key, v := range added.All() {
		read, ok := v.(*jsonata.Object)
		if key != "resources" || !ok {
			root.Set(key, v)
			continue
		}
		for name, out := range read.All() {
			root = setPath(root, out, key, name)
		}
	}
	return scope{root: root}
}

// with adds one name.
func (s scope) with(key string, v jsonata.Value) scope {
	root := copyObject(s.root, 1)
	root.Set(key, v)
	return scope{root: root}
}

// setPath returns o with v at the path of head and rest. Objects and arrays on the way are copied, anything else on the
// way is replaced.
func setPath(o *jsonata.Object, v jsonata.Value, head string, rest ...string) *jsonata.Object {
	out := copyObject(o, 1)
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
	return setPath(next, v, path[0], path[1:]...)
}

func copyObject(o *jsonata.Object, room int) *jsonata.Object {
	out := jsonata.NewObject(o.Len() + room)
	for key, v := range o.All() {
		out.Set(key, v)
	}
	return out
}
