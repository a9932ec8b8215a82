package admin

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/node"
	"github.com/millrace/millrace/internal/retention"
	"github.com/millrace/millrace/internal/store"
)

// CreateEnvironment adds an environment, also while a server runs on the same database.
func CreateEnvironment(ctx context.Context, o node.Options, name string, weight int64) (*millrace.Environment, error) {
	if err := cmp.Or(millrace.CheckEnvironmentName(name), millrace.CheckEnvironmentWeight(weight)); err != nil {
		return nil, fmt.Errorf("create environment: %w", err)
	}
	env, err := compute(ctx, o, func(ctx context.Context, tx *store.Tx) (*millrace.Environment, error) {
		env := &millrace.Environment{Name: name, Weight: weight}
		return env, tx.Environments().Create(ctx, env)
	})
	if err != nil {
		return nil, fmt.Errorf("create environment: %w", err)
	}
	return env, nil
}

// Environments returns all environments, the oldest first, without those that are being deleted.
func Environments(ctx context.Context, o node.Options) ([]millrace.Environment, error) {
	all, err := compute(ctx, o, func(ctx context.Context, tx *store.Tx) ([]millrace.Environment, error) {
		return tx.Environments().All(ctx)
	})
	if err != nil {
		return nil, fmt.Errorf("list environments: %w", err)
	}
	return slices.DeleteFunc(all, func(env millrace.Environment) bool { return env.DeletingAt > 0 }), nil
}

// RenameEnvironment gives the environment with a name or id another name.
func RenameEnvironment(ctx context.Context, o node.Options, which, name string) (*millrace.Environment, error) {
	if err := millrace.CheckEnvironmentName(name); err != nil {
		return nil, fmt.Errorf("rename environment: %w", err)
	}
	env, err := changeEnvironment(ctx, o, which, func(v *millrace.Environment) { v.Name = name })
	if err != nil {
		return nil, fmt.Errorf("rename environment: %w", err)
	}
	return env, nil
}

// WeighEnvironment gives the environment with a name or id another weight. Servers know it within 5 seconds.
func WeighEnvironment(ctx context.Context, o node.Options, which string, weight int64) (*millrace.Environment, error) {
	if err := millrace.CheckEnvironmentWeight(weight); err != nil {
		return nil, fmt.Errorf("weigh environment: %w", err)
	}
	env, err := changeEnvironment(ctx, o, which, func(v *millrace.Environment) { v.Weight = weight })
	if err != nil {
		return nil, fmt.Errorf("weigh environment: %w", err)
	}
	return env, nil
}

func changeEnvironment(ctx context.Context, o node.Options, which string, change func(*millrace.Environment)) (*millrace.Environment, error) {
	return compute(ctx, o, func(ctx context.Context, tx *store.Tx) (*millrace.Environment, error) {
		found, err := tx.Environments().Named(ctx, which)
		if err == nil {
			found, err = tx.Environments().Lock(ctx, found.ID) // so that no deletion that commits meanwhile is written over
		}
		if err != nil {
			return nil, err
		}
		change(found)
		return found, tx.Environments().Update(ctx, found)
	})
}

// DeletedEnvironment is an environment that is gone, and what it had.
type DeletedEnvironment struct {
	millrace.Environment
	Had  string // "" when nothing
	Left bool   // its empty entry stays until a server removes it
}

// DeleteEnvironment deletes the environment with a name or id. One that has anything but tokens is deleted with force only. The
// wish is stored first: a server, or the same command, goes on where a process has ended.
func DeleteEnvironment(ctx context.Context, o node.Options, which string, force bool) (*DeletedEnvironment, error) {
	db, err := node.OpenExisting(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	by := node.ByOperator(ctx)
	out, err := store.Compute(by, db, func(tx *store.Tx) (*DeletedEnvironment, error) {
		found, err := erasable(ctx, tx, which)
		if err != nil {
			return nil, err
		}
		had, err := tx.Rows().OfEnvironment(ctx, found.ID)
		if err != nil {
			return nil, err
		}
		out := &DeletedEnvironment{Environment: *found, Had: store.OwnedText(had)}
		if out.Had != "" && !force {
			return nil, millrace.Errorf(millrace.KindConflict, "the environment %q (%s) has rows (%s); with --force all of them are deleted", found.Name, found.ID, out.Had)
		}
		return out, tx.Environments().StartErasure(by, &out.Environment)
	})
	if err == nil {
		out.Left, err = retention.EraseEnvironment(ctx, db, &out.Environment)
	}
	if err != nil {
		return nil, fmt.Errorf("delete environment: %w", err)
	}
	return out, nil
}

// erasable finds an environment by its name or id; by its id also one whose deletion has begun.
func erasable(ctx context.Context, tx *store.Tx, which string) (*millrace.Environment, error) {
	found, err := tx.Environments().Named(ctx, which)
	if millrace.KindOf(err) != millrace.KindNotFound || !millrace.IsID(which) {
		return found, err
	}
	begun, other := tx.Environments().Erasing(ctx, millrace.EnvironmentID(strings.ToLower(which)))
	if other != nil || begun == nil {
		return nil, err
	}
	return begun, nil
}
