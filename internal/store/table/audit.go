package table

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store/sqldb"
)

// AuditID identifies an [AuditEntry].
type AuditID string

// What an actor has done. Other actions have a verb of their own.
const (
	AuditCreated = "created"
	AuditChanged = "changed"
	AuditDeleted = "deleted"
)

// AuditEntry is one change of one object by an actor. It is stored in the transaction of the change.
type AuditEntry struct {
	ID            AuditID                `json:"id" format:"uuid" doc:"The entry's id."`
	EnvironmentID millrace.EnvironmentID `json:"environment_id" doc:"The environment of the object; empty: it is one of the installation, such as a user or an environment."`
	Resource      string                 `json:"resource" doc:"What was changed, as in the names of paths with underscores." example:"workflow"`
	ResourceID    string                 `json:"resource_id" doc:"The id of the object; empty: it has none, or it was erased."`
	Action        string                 `json:"action" doc:"created, changed, deleted, or what else was done." example:"changed"`
	ActorType     sqldb.ActorKind        `json:"actor_type" enum:"api_token,integrated_account,user,command_line" doc:"What the actor is."`
	ActorID       string                 `json:"actor_id" doc:"The id of the token, the account or the user; the user of the operating system."`
	ActorName     string                 `json:"actor_name" doc:"The name of the token or the address of the user at that time."`
	Via           string                 `json:"via" doc:"The request or the command." example:"PATCH /workflow/{id}"`

	Before json.RawMessage `json:"before" doc:"What was changed, as it was, by its path in the object. Secrets are masked, long values are cut off."`
	After  json.RawMessage `json:"after" doc:"What was changed, as it is from then on."`
	More   int64           `json:"more" doc:"How many more places were changed, which the entry has no room for."`

	Subject   string        `json:"-"` // the account, or the tenant, whose data is in Before and After
	CreatedAt millrace.Time `json:"created_at" doc:"When it was changed."`
}

// Audit says how the changes of the rows of a table by actors are recorded. Every column is, but for hidden ones and times of changes.
type Audit[T any] struct {
	Resource func(v *T) string // what a row is called; nil: the name of the table
	ID       func(v *T) string // what a row is known by; nil: its id
	Subject  func(v *T) string // the account or tenant whose data the row has; nil: none
	Without  []string          // columns that are not recorded
	With     []string          // hidden columns that are
}

// Watch records, at the end of the transaction, what becomes of a row in it. It is called before the statement that changes the row;
// Insert, Update and Remove call it. Without an actor, or where a table is not watched, it does nothing.
func (t *Table[T]) Watch(ctx context.Context, tx *sqldb.Tx, env millrace.EnvironmentID, id string) error {
	if t.Audit == nil || sqldb.ActorOf(ctx).Kind == "" || tx.Awaits(t.rowKey(env, id)) {
		return nil
	}
	before, err := t.watched(ctx, tx, env, id, tx.Dialect().ForUpdate())
	if err != nil || before == nil {
		return err // of a row that is not there nothing changes
	}
	was, err := t.fields(ctx, tx, before)
	if err != nil {
		return err
	}
	t.atEnd(ctx, tx, env, id, t.entry(env, before), was)
	return nil
}

// WatchAny is Watch for a row that is written whether or not there is one.
func (t *Table[T]) WatchAny(ctx context.Context, tx *sqldb.Tx, v *T) error {
	args, err := t.Values(tx, v)
	if err != nil {
		return err
	}
	if err := t.Watch(ctx, tx, t.environmentOf(args), fmt.Sprint(args[0])); err != nil {
		return err
	}
	return t.watchNew(ctx, tx, v, args)
}

// watchNew is Watch for a row that is about to be inserted, unless there is one.
func (t *Table[T]) watchNew(ctx context.Context, tx *sqldb.Tx, v *T, args []any) error {
	if t.Audit == nil || sqldb.ActorOf(ctx).Kind == "" {
		return nil
	}
	env, id := t.environmentOf(args), fmt.Sprint(args[0])
	there, err := t.watched(ctx, tx, env, id, "")
	if err != nil || there != nil {
		return err
	}
	t.atEnd(ctx, tx, env, id, t.entry(env, v), nil)
	return nil
}

func (t *Table[T]) rowKey(env millrace.EnvironmentID, id string) string {
	return t.Name + " " + string(env) + " " + id
}

// watched returns a row as it is now, or nil.
func (t *Table[T]) watched(ctx context.Context, tx *sqldb.Tx, env millrace.EnvironmentID, id, suffix string) (*T, error) {
	if t.Root {
		return t.Find(ctx, tx, "id = $1"+suffix, id)
	}
	return t.Find(ctx, tx, "id = $1 AND environment_id = $2"+suffix, id, string(env))
}

// entry is the record of a change to a row, without what was changed.
func (t *Table[T]) entry(env millrace.EnvironmentID, v *T) *AuditEntry {
	of := func(get func(*T) string, otherwise string) string {
		if get == nil {
			return otherwise
		}
		return get(v)
	}
	e := &AuditEntry{EnvironmentID: env, Resource: of(t.Audit.Resource, t.Name), Subject: of(t.Audit.Subject, "")}
	id, err := t.Columns[0].get(nil, v) // of plain text
	if text, ok := id.(string); ok && err == nil {
		e.ResourceID = of(t.Audit.ID, text)
	}
	return e
}

// atEnd records at the end of the transaction what a row, which was so, has become.
func (t *Table[T]) atEnd(ctx context.Context, tx *sqldb.Tx, env millrace.EnvironmentID, id string, e *AuditEntry, was map[string]value) {
	tx.Finally(t.rowKey(env, id), func() error {
		after, err := t.watched(ctx, tx, env, id, "")
		if err != nil {
			return err
		}
		is := map[string]value(nil)
		switch {
		case after != nil:
			if is, err = t.fields(ctx, tx, after); err != nil {
				return err
			}
			e.Action = AuditChanged
			if was == nil {
				e.Action = AuditCreated
			}
		case was == nil:
			return nil // it came and went
		default:
			e.Action = AuditDeleted
		}
		d := differ(was, is)
		if d.empty() && e.Action == AuditChanged {
			return nil
		}
		e.Before, e.After, e.More = d.json(d.before), d.json(d.after), d.more
		return Record(ctx, tx, e)
	})
}

// Record stores an entry about what the actor of a context does. Without an actor it does nothing.
func Record(ctx context.Context, tx *sqldb.Tx, e *AuditEntry) error {
	a := sqldb.ActorOf(ctx)
	if a.Kind == "" {
		return nil
	}
	e.ActorType, e.ActorID, e.ActorName, e.Via = a.Kind, a.ID, a.Name, a.Via
	return AuditTable().Insert(ctx, tx, e)
}

// AuditTable is the table of the entries.
func AuditTable() *Table[AuditEntry] { return auditTable() }

var auditTable = sync.OnceValue(func() *Table[AuditEntry] { //nolint:gochecknoglobals // a constant that cannot be written as one
	type row = AuditEntry
	return &Table[row]{
		Name: "audit_entry", What: "audit entry", Across: true,
		Columns: []Column[row]{
			Text("id", func(v *row) *AuditID { return &v.ID }),
			Text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			Text("resource", func(v *row) *string { return &v.Resource }),
			Text("resource_id", func(v *row) *string { return &v.ResourceID }),
			Text("action", func(v *row) *string { return &v.Action }),
			Text("actor_type", func(v *row) *sqldb.ActorKind { return &v.ActorType }),
			Text("actor_id", func(v *row) *string { return &v.ActorID }),
			Text("actor_name", func(v *row) *string { return &v.ActorName }),
			Text("via", func(v *row) *string { return &v.Via }),
			Hidden(Document("before", func(v *row) *json.RawMessage { return &v.Before })),
			Hidden(Document("after", func(v *row) *json.RawMessage { return &v.After })),
			Hidden(Number("more", func(v *row) *int64 { return &v.More })),
			Hidden(Text("subject", func(v *row) *string { return &v.Subject })),
			Stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
		},
		Fill:  func(tx *sqldb.Tx, v *row) { NewRow(tx, &v.ID, &v.CreatedAt) },
		Touch: func(*sqldb.Tx, *row) {},
	}
})

// value is what a column of a row has.
type value struct {
	doc    any    // decoded JSON; nil: nothing
	secret string // of a secret: what tells it from another one
	hidden bool   // it is a secret, of which doc has what may be shown
}

// fields returns what is recorded of a row.
func (t *Table[T]) fields(ctx context.Context, tx *sqldb.Tx, v *T) (map[string]value, error) {
	shown, err := tx.Shown(ctx, v)
	if err != nil {
		return nil, err
	}
	out := map[string]value{}
	for i, c := range t.Columns {
		if i == 0 || i == 1 && !t.Root || c.name == "created_at" || c.name == "updated_at" || slices.Contains(t.Audit.Without, c.name) {
			continue
		}
		if c.kind == KindHidden && c.secret == nil && !slices.Contains(t.Audit.With, c.name) {
			continue
		}
		f := value{}
		public, ok := shown[c.name]
		switch {
		case c.secret != nil:
			f.hidden = true
			if b := c.secret(v); len(b) > 0 {
				f.secret = fmt.Sprintf("%x", sha256.Sum256(b))
			}
			f.doc = decoded(public)
		case ok:
			f.doc = decoded(public)
		default:
			if f.doc, err = c.plain(tx, v); err != nil {
				return nil, err
			}
		}
		out[c.name] = f
	}
	return out, nil
}

// plain returns what a column has, as decoded JSON.
func (c *Column[T]) plain(tx *sqldb.Tx, v *T) (any, error) {
	got, err := c.get(tx, v)
	if err != nil {
		return nil, err
	}
	switch got := got.(type) {
	case string:
		if c.shape() == KindDocument {
			return decoded(json.RawMessage(got)), nil
		}
		if got == "" {
			return nil, nil //nolint:nilnil // there is none
		}
		return got, nil
	case int64:
		if c.shape() == KindTime {
			if got == 0 {
				return nil, nil //nolint:nilnil // there is none
			}
			return millrace.Time(got).String(), nil
		}
		return json.Number(strconv.FormatInt(got, 10)), nil
	default:
		return got, nil
	}
}
