package accounts

import (
	"cmp"
	"context"
	"strings"
	"sync"

	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"

	"github.com/millrace/millrace"
)

// Environments are the environments.
type Environments struct{ tx *sqldb.Tx }

// NewEnvironments returns the handle of the environments.
func NewEnvironments(tx *sqldb.Tx) Environments { return Environments{tx} }

var environmentTable = sync.OnceValue(func() *table.Table[millrace.Environment] { //nolint:gochecknoglobals // a constant that cannot be written as one
	type row = millrace.Environment
	return &table.Table[row]{
		Name: "environment", What: "environment", Root: true,
		Audit: &table.Audit[row]{With: []string{"connect", "deleting_at"}},
		Columns: []table.Column[row]{
			table.Text("id", func(v *row) *millrace.EnvironmentID { return &v.ID }),
			table.Text("name", func(v *row) *string { return &v.Name }),
			table.Hidden(table.Text("name_key", func(v *row) *string { return &v.NameKey })),
			table.Text("team_id", func(v *row) *string { return &v.TeamID }),
			table.Number("weight", func(v *row) *int64 { return &v.Weight }),
			table.Hidden(table.Encoded("connect", func(v *row) any { return &v.Connect }, nil)),
			table.Hidden(table.Stamp("deleting_at", func(v *row) *millrace.Time { return &v.DeletingAt })),
			table.Stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			table.Stamp("updated_at", func(v *row) *millrace.Time { return &v.UpdatedAt }),
		},
		Fill: func(tx *sqldb.Tx, v *row) {
			table.NewRow(tx, &v.ID, &v.CreatedAt, &v.UpdatedAt)
			v.NameKey, v.Weight = nameKey(v), cmp.Or(v.Weight, millrace.DefaultWeight)
		},
		Touch: func(tx *sqldb.Tx, v *row) { v.UpdatedAt, v.NameKey = tx.Now(), nameKey(v) },
	}
})

// nameKey is what the name of an environment is compared by. One that is being deleted gives its name back.
func nameKey(v *millrace.Environment) string {
	if v.DeletingAt > 0 {
		return string(v.ID)
	}
	return millrace.EnvironmentNameKey(v.Name)
}

// Create adds an environment and fills in its id and times. It returns an error of KindConflict when the id or the
// Name is taken.
func (h Environments) Create(ctx context.Context, v *millrace.Environment) error {
	if err := h.nameIsFree(ctx, v); err != nil {
		return err
	}
	if err := namedOnce(environmentTable().Insert(ctx, h.tx, v), v.Name, ""); err != nil {
		return err
	}
	h.weighed(v)
	return nil
}

// nameIsFree returns an error that names the environment which has a name already. The unique index decides between two that
// take one at once.
func (h Environments) nameIsFree(ctx context.Context, v *millrace.Environment) error {
	has, err := environmentTable().Find(ctx, h.tx, "name_key = $1", nameKey(v))
	if err != nil || has == nil || has.ID == v.ID {
		return err
	}
	return namedOnce(millrace.Errorf(millrace.KindConflict, "taken"), has.Name, " ("+string(has.ID)+")")
}

// namedOnce says in place of an index which environment there is.
func namedOnce(err error, name, id string) error {
	if millrace.KindOf(err) == millrace.KindConflict {
		return millrace.Errorf(millrace.KindConflict, "there is an environment %q%s already", name, id)
	}
	return err
}

const notDeleting = " AND deleting_at = 0"

// Get returns an environment, or an error of KindNotFound, also when it is being deleted.
func (h Environments) Get(ctx context.Context, id millrace.EnvironmentID) (*millrace.Environment, error) {
	v, err := environmentTable().Find(ctx, h.tx, "id = $1"+notDeleting, strings.ToLower(string(id)))
	if err == nil && v == nil {
		err = millrace.NotFound("environment", string(id))
	}
	return v, err
}

// Lock is Get that keeps others from changing the environment until the transaction ends.
func (h Environments) Lock(ctx context.Context, id millrace.EnvironmentID) (*millrace.Environment, error) {
	v, err := environmentTable().Find(ctx, h.tx, "id = $1"+notDeleting+h.tx.Dialect().ForUpdate(), strings.ToLower(string(id)))
	if err == nil && v == nil {
		err = millrace.NotFound("environment", string(id))
	}
	return v, err
}

// Named returns the environment with an id or a name, or an error of KindNotFound. No name reads as an id.
func (h Environments) Named(ctx context.Context, name string) (*millrace.Environment, error) {
	if millrace.IsID(name) {
		return h.Get(ctx, millrace.EnvironmentID(name))
	}
	v, err := environmentTable().Find(ctx, h.tx, "name_key = $1"+notDeleting, millrace.EnvironmentNameKey(name))
	if err == nil && v == nil {
		err = millrace.NotFound("environment", name)
	}
	return v, err
}

// List returns one page of environments: the one with the id, or all without one. It returns an error of KindInvalid
// for a field, operator or cursor that it does not know.
func (h Environments) List(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.Environment], error) {
	return environmentTable().List(ctx, h.tx, env, q)
}

// Update writes all of an environment. It returns an error of KindNotFound, or of KindConflict when the name is taken.
func (h Environments) Update(ctx context.Context, v *millrace.Environment) error {
	if err := h.nameIsFree(ctx, v); err != nil {
		return err
	}
	if err := namedOnce(table.MustUpdate(ctx, h.tx, environmentTable(), v, string(v.ID)), v.Name, ""); err != nil {
		return err
	}
	h.weighed(v)
	return nil
}

// All returns all environments, also those that are being deleted, the oldest first.
func (h Environments) All(ctx context.Context) ([]millrace.Environment, error) {
	return environmentTable().All(ctx, h.tx, "1 = 1 ORDER BY created_at, id")
}

// addressable reports whether a new row may be addressed by its id alone, which others may choose, too. An id that Millrace makes
// is not known to others before; beside those, the first environment has the right, so that an installation with one environment
// needs no other addresses.
func addressable(env millrace.EnvironmentID, chosen string) bool {
	return chosen == "" || env == millrace.FirstEnvironmentID()
}

// StartErasure makes an environment one that is being deleted: its name is free, its tokens are gone, and the
// reconcile pass of a server goes on with it.
func (h Environments) StartErasure(ctx context.Context, v *millrace.Environment) error {
	if v.DeletingAt == 0 {
		v.DeletingAt = h.tx.Now()
	}
	if err := h.Update(ctx, v); err != nil {
		return err
	}
	return APITokens(h).deleteOf(ctx, v.ID)
}

// Erasing returns an environment that is being deleted, or nil.
func (h Environments) Erasing(ctx context.Context, id millrace.EnvironmentID) (*millrace.Environment, error) {
	return environmentTable().Find(ctx, h.tx, "id = $1 AND deleting_at > 0", string(id))
}

// AllErasing returns the environments that are being deleted, the last first, at most so many.
func (h Environments) AllErasing(ctx context.Context, most int) ([]millrace.Environment, error) {
	return environmentTable().All(ctx, h.tx, "deleting_at > 0 ORDER BY deleting_at DESC, id LIMIT $1", most)
}

// LockErasing is Erasing that keeps others from changing the environment until the transaction ends.
func (h Environments) LockErasing(ctx context.Context, id millrace.EnvironmentID) (*millrace.Environment, error) {
	return environmentTable().Find(ctx, h.tx, "id = $1 AND deleting_at > 0"+h.tx.Dialect().ForUpdate(), string(id))
}

// Weighted returns the environments that have another weight than the default.
func (h Environments) Weighted(ctx context.Context) ([]millrace.Environment, error) {
	return environmentTable().All(ctx, h.tx, "weight <> $1", millrace.DefaultWeight)
}

// weighed notes the weight of an environment once it is committed.
func (h Environments) weighed(v *millrace.Environment) {
	h.tx.SetWeight(v.ID, v.Weight)
}
