package store

import (
	"cmp"
	"context"
	"strings"

	"github.com/millrace/millrace"
)

func environmentTable(db *DB) *table[millrace.Environment] {
	type row = millrace.Environment
	return &table[row]{
		name: "environment", what: "environment", dialect: db.dialect, root: true,
		columns: []column[row]{
			text("id", func(v *row) *millrace.EnvironmentID { return &v.ID }),
			text("name", func(v *row) *string { return &v.Name }),
			hidden(text("name_key", func(v *row) *string { return &v.NameKey })),
			text("team_id", func(v *row) *string { return &v.TeamID }),
			number("weight", func(v *row) *int64 { return &v.Weight }),
			hidden(stamp("deleting_at", func(v *row) *millrace.Time { return &v.DeletingAt })),
			stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			stamp("updated_at", func(v *row) *millrace.Time { return &v.UpdatedAt }),
		},
		fill: func(tx *Tx, v *row) {
			newRow(tx, &v.ID, &v.CreatedAt, &v.UpdatedAt)
			v.NameKey, v.Weight = nameKey(v), cmp.Or(v.Weight, millrace.DefaultWeight)
		},
		touch: func(tx *Tx, v *row) { v.UpdatedAt, v.NameKey = tx.Now(), nameKey(v) },
	}
}

// nameKey is what the name of an environment is compared by. One that is being deleted gives its name back.
func nameKey(v *millrace.Environment) string {
	if v.DeletingAt > 0 {
		return string(v.ID)
	}
	return millrace.EnvironmentNameKey(v.Name)
}

// InsertEnvironment adds an environment and fills in its id and times. It returns an error of KindConflict when the id or the
// name is taken.
func (tx *Tx) InsertEnvironment(ctx context.Context, v *millrace.Environment) error {
	if err := tx.nameIsFree(ctx, v); err != nil {
		return err
	}
	if err := namedOnce(tx.db.tables.environment.insert(ctx, tx, v), v.Name, ""); err != nil {
		return err
	}
	tx.weighed(v)
	return nil
}

// nameIsFree returns an error that names the environment which has a name already. The unique index decides between two that
// take one at once.
func (tx *Tx) nameIsFree(ctx context.Context, v *millrace.Environment) error {
	has, err := tx.db.tables.environment.find(ctx, tx, "name_key = $1", nameKey(v))
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

// Environment returns an environment, or an error of KindNotFound, also when it is being deleted.
func (tx *Tx) Environment(ctx context.Context, id millrace.EnvironmentID) (*millrace.Environment, error) {
	v, err := tx.db.tables.environment.find(ctx, tx, "id = $1"+notDeleting, strings.ToLower(string(id)))
	if err == nil && v == nil {
		err = millrace.NotFound("environment", string(id))
	}
	return v, err
}

// EnvironmentNamed returns the environment with an id or a name, or an error of KindNotFound. No name reads as an id.
func (tx *Tx) EnvironmentNamed(ctx context.Context, name string) (*millrace.Environment, error) {
	if millrace.IsID(name) {
		return tx.Environment(ctx, millrace.EnvironmentID(name))
	}
	v, err := tx.db.tables.environment.find(ctx, tx, "name_key = $1"+notDeleting, millrace.EnvironmentNameKey(name))
	if err == nil && v == nil {
		err = millrace.NotFound("environment", name)
	}
	return v, err
}

// ListEnvironments returns one page of environments: the one with the id, or all without one. It returns an error of KindInvalid
// for a field, operator or cursor that it does not know.
func (tx *Tx) ListEnvironments(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.Environment], error) {
	return tx.db.tables.environment.list(ctx, tx, env, q)
}

// UpdateEnvironment writes all of an environment. It returns an error of KindNotFound, or of KindConflict when the name is taken.
func (tx *Tx) UpdateEnvironment(ctx context.Context, v *millrace.Environment) error {
	if err := tx.nameIsFree(ctx, v); err != nil {
		return err
	}
	if err := namedOnce(mustUpdate(ctx, tx, tx.db.tables.environment, v, string(v.ID)), v.Name, ""); err != nil {
		return err
	}
	tx.weighed(v)
	return nil
}

// Environments returns all environments, also those that are being deleted, the oldest first.
func (tx *Tx) Environments(ctx context.Context) ([]millrace.Environment, error) {
	return tx.db.tables.environment.all(ctx, tx, "1 = 1 ORDER BY created_at, id")
}
