package store

import (
	"context"
	"fmt"

	"github.com/millrace/millrace"
)

// namesVersion is the migration from which on names of environments are unique.
const namesVersion = 18

// nameEnvironmentsOnce gives each environment a name of its own: of those with one name, all but the oldest get their id behind it.
func (tx *Tx) nameEnvironmentsOnce(ctx context.Context) error {
	var all []millrace.Environment
	err := tx.each(ctx, "SELECT id, name FROM environment ORDER BY created_at, id", nil, func(r rows) error {
		var v millrace.Environment
		err := r.Scan((*string)(&v.ID), &v.Name)
		all = append(all, v)
		return err
	})
	if err != nil {
		return fmt.Errorf("read names of environments: %w", err)
	}
	taken := map[string]bool{}
	for _, v := range all {
		key := millrace.EnvironmentNameKey(v.Name)
		if key == "" || millrace.IsID(key) || taken[key] {
			v.Name = fmt.Sprintf("%s (%s)", v.Name, v.ID)
			key = millrace.EnvironmentNameKey(v.Name)
		}
		taken[key] = true
		if _, err := tx.exec(ctx, "UPDATE environment SET name = $2, name_key = $3 WHERE id = $1", string(v.ID), v.Name, key); err != nil {
			return fmt.Errorf("name environments: %w", err)
		}
	}
	if _, err := tx.exec(ctx, "CREATE UNIQUE INDEX environment_name ON environment (name_key)"); err != nil {
		return fmt.Errorf("index names of environments: %w", err)
	}
	return nil
}
