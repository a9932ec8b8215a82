package event

import (
	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// New makes an event that is created now, by the transaction's clock; Emit stores it.
func New(tx *store.Tx, env millrace.EnvironmentID, name string, payload any) (*millrace.Event, error) {
	e, err := millrace.NewEvent(env, name, payload)
	if err != nil {
		return nil, err
	}
	e.CreatedAt = tx.Now()
	return e, nil
}
