package store

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/millrace/millrace"
)

// UnsealedAccounts returns some of the accounts whose secret members were never set apart by what their integrations declare,
// locked.
func (tx *Tx) UnsealedAccounts(ctx context.Context, most int) ([]millrace.IntegratedAccount, error) {
	return tx.db.tables.integratedAccount.all(ctx, tx, "NOT sealed ORDER BY id LIMIT $1"+tx.db.dialect.forUpdate(), most)
}

// LockInstall returns an installation with its integration; neither changes until the transaction ends. Who stores an account
// by what they declare holds them, so that a change of them sees every account. It returns an error of KindNotFound.
func (tx *Tx) LockInstall(ctx context.Context, env millrace.EnvironmentID, id millrace.EnvironmentIntegrationID) (
	*millrace.EnvironmentIntegration, *millrace.Integration, error,
) {
	install, err := tx.db.tables.environmentIntegration.get(ctx, tx, env, string(id), tx.db.dialect.forShare())
	if err != nil {
		return nil, nil, err
	}
	integration, err := tx.db.tables.integration.get(ctx, tx, env, string(install.IntegrationID), tx.db.dialect.forShare())
	return install, integration, err
}

// plainName is a name that JSON writes as it is.
var plainName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)

// AccountsWith returns some accounts of an installation, in the order of their ids and behind after, whose contexts have a
// member of one of the names, locked. It may return others, too: it looks for the names in the text, because the database does
// not understand every document that we do.
func (tx *Tx) AccountsWith(ctx context.Context, install millrace.EnvironmentIntegrationID, names []string, after millrace.IntegratedAccountID, most int) (
	[]millrace.IntegratedAccount, error,
) {
	condition, args := "environment_integration_id = $1 AND id > $2", []any{string(install), string(after), most}
	if !slices.ContainsFunc(names, func(name string) bool { return !plainName.MatchString(name) }) {
		var some []string
		for _, name := range names {
			args = append(args, `%"`+name+`"%`)
			some = append(some, tx.db.dialect.like("context", fmt.Sprintf("$%d", len(args))))
		}
		condition += " AND (" + strings.Join(some, " OR ") + ")"
	}
	return tx.db.tables.integratedAccount.all(ctx, tx, condition+" ORDER BY id LIMIT $3"+tx.db.dialect.forUpdate(), args...)
}
