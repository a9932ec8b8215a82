package accounts

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/millrace/millrace"
)

// Unsealed returns some of the accounts whose secret members were never set apart by what their integrations declare,
// locked.
func (h Accounts) Unsealed(ctx context.Context, most int) ([]millrace.IntegratedAccount, error) {
	return integratedAccountTable().All(ctx, h.tx, "NOT sealed ORDER BY id LIMIT $1"+h.tx.Dialect().ForUpdate(), most)
}

// Lock returns an installation with its integration; neither changes until the transaction ends. Who stores an account
// by what they declare holds them, so that a change of them sees every account. It returns an error of KindNotFound.
func (h Installs) Lock(ctx context.Context, env millrace.EnvironmentID, id millrace.EnvironmentIntegrationID) (
	*millrace.EnvironmentIntegration, *millrace.Integration, error,
) {
	install, err := environmentIntegrationTable().Get(ctx, h.tx, env, string(id), h.tx.Dialect().ForShare())
	if err != nil {
		return nil, nil, err
	}
	integration, err := integrationTable().Get(ctx, h.tx, env, string(install.IntegrationID), h.tx.Dialect().ForShare())
	return install, integration, err
}

// plainName is a name that JSON writes without escapes.
var plainName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)

// With returns some accounts of an installation, in the order of their ids and behind after, whose contexts have a
// Member of one of the names, locked. It may return others, too: it looks for the names in the text, because the database does
// not understand every document that we do.
func (h Accounts) With(ctx context.Context, install millrace.EnvironmentIntegrationID, names []string, after millrace.IntegratedAccountID, most int) (
	[]millrace.IntegratedAccount, error,
) {
	condition, args := "environment_integration_id = $1 AND id > $2", []any{string(install), string(after), most}
	if !slices.ContainsFunc(names, func(name string) bool { return !plainName.MatchString(name) }) {
		var some []string
		for _, name := range names {
			args = append(args, `%"`+name+`"%`)
			some = append(some, h.tx.Dialect().Like("context", fmt.Sprintf("$%d", len(args))))
		}
		condition += " AND (" + strings.Join(some, " OR ") + ")"
	}
	return integratedAccountTable().All(ctx, h.tx, condition+" ORDER BY id LIMIT $3"+h.tx.Dialect().ForUpdate(), args...)
}
