package table

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store/sqldb"
)

// ErrTransition is in the errors about a status that does not lead to another one.
var ErrTransition = errors.New("the table of transitions does not lead there")

// Machine guards the status of the rows of a table: every statement that writes one takes its condition from here, so that no row
// leaves the table of transitions of its noun, whatever its caller has read before.
type Machine struct {
	table, what string
	may         string // with the column for %[1]s and the new status for %[2]s
	next        func(from, to string) bool
	all         []string
}

// Knows reports whether rows may have a status.
func (m *Machine) Knows(status string) bool { return m != nil && slices.Contains(m.all, status) }

// NewMachine makes the guard of a table whose rows have the states of a noun.
func NewMachine[S millrace.Status[S]](table, what string, all []S) *Machine {
	alternatives := []string{"%[1]s = %[2]s"}
	for _, to := range all {
		var before []string
		for _, from := range millrace.StatusesBefore(all, to) {
			before = append(before, "'"+string(from)+"'")
		}
		if len(before) > 0 {
			alternatives = append(alternatives, "%[2]s = '"+string(to)+"' AND %[1]s IN ("+strings.Join(before, ", ")+")")
		}
	}
	known := make([]string, len(all))
	for i, status := range all {
		known[i] = string(status)
	}
	return &Machine{
		all: known, table: table, what: what, may: "(" + strings.Join(alternatives, " OR ") + ")",
		next: func(from, to string) bool { return from == to || S(from).Next(S(to)) },
	}
}

// May is the condition that a row may get a status: it has it already, or the table of transitions leads from its status there.
// column is the status of the row, to the expression of the new one.
func (m *Machine) May(column, to string) string { return fmt.Sprintf(m.may, column, to) }

// Reason says why no row was changed: it returns an error of KindConflict when there is a row and its status does not lead to the
// new one.
func (m *Machine) Reason(ctx context.Context, tx *sqldb.Tx, env millrace.EnvironmentID, id, to string) error {
	from := ""
	found, err := tx.One(ctx, "SELECT status FROM "+m.table+" WHERE id = $1 AND environment_id = $2", []any{strings.ToLower(id), string(env)}, &from)
	if err != nil {
		return fmt.Errorf("read status of %s: %w", m.what, err)
	}
	if found && !m.next(from, to) {
		return m.rejected(millrace.KindConflict, id, from, to)
	}
	return nil
}

func (m *Machine) rejected(kind millrace.Kind, id, from, to string) error {
	return &millrace.Error{Kind: kind, Message: fmt.Sprintf("%s %s is %s and cannot become %s", m.what, id, from, to), Err: ErrTransition}
}

// Fault returns an error of KindInternal when the table of transitions does not lead from one status to another: for a caller that
// knows that no other has changed the row, and would take an error of KindConflict for that.
func (m *Machine) Fault(id, from, to string) error {
	if m.next(from, to) {
		return nil
	}
	return m.rejected(millrace.KindInternal, id, from, to)
}

// Changed is [Changed] for a statement that writes a status.
func (m *Machine) Changed(ctx context.Context, tx *sqldb.Tx, n int64, err error, env millrace.EnvironmentID, id, to string) error {
	if err == nil && n == 0 {
		err = m.Reason(ctx, tx, env, id, to)
	}
	return Changed(n, err, m.what, id)
}
