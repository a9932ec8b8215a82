package account

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/egress"
	"github.com/millrace/millrace/internal/store"
)

// GateOf returns the static gate with an id; nil for an empty one. One that is not there is an error: nothing goes past a gate.
func GateOf(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID, id millrace.StaticGateID) (*egress.Gate, error) {
	if id == "" {
		return nil, nil //nolint:nilnil // no gate is what most accounts have
	}
	v, err := tx.Accounts().Gates().Get(ctx, env, id)
	if err != nil {
		return nil, err
	}
	g := &egress.Gate{Address: v.Domain}
	if err := json.Unmarshal(v.Token, &g.Token); err != nil {
		return nil, fmt.Errorf("decode the token of a static gate: %w", err)
	}
	return g, nil
}
