package httpapi

import (
	"context"
	"net/url"
	"unicode/utf8"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

const tenantNote = "A tenant is the tenant_id of integrated accounts. One that has accounts is refused, unless erase=true says that " +
	"they are to go as well. Then every account is deleted as by DELETE /integrated-account, and events whose payload " +
	"names the tenant as tenant_id are removed, with what came of them."

// tenantIn is the input of the removal of a tenant.
type tenantIn struct {
	ID          string `path:"id" maxLength:"255" doc:"The tenant_id of its accounts." example:"acme"`
	Erase       string `query:"erase" enum:"true,false" doc:"true: delete its accounts too."`
	Environment millrace.EnvironmentID
}

func (in *tenantIn) read(r *request, _ *bodyReader) error {
	in.Environment = r.environment
	if n := utf8.RuneCountInString(in.ID); n == 0 || n > 255 || !isText(in.ID) {
		return millrace.NotFound("tenant", shorten(in.ID))
	}
	query, err := url.ParseQuery(r.http.URL.RawQuery)
	if err != nil {
		return millrace.Invalid("erase", "the query is not percent-encoded correctly")
	}
	for name, values := range query {
		switch {
		case name != "erase":
			return millrace.Invalid(shorten(name), "is not a parameter of this route; did you mean \"erase\"?")
		case len(values) > 1 || values[0] != "true" && values[0] != "false":
			return millrace.Invalid("erase", "must be true or false, once")
		}
	}
	return nil
}

// erasedTenant is the answer to the removal of a tenant.
type erasedTenant struct {
	ID       string `json:"id" doc:"The tenant."`
	Accounts int    `json:"accounts" doc:"How many accounts were deleted."`
	Erasing  bool   `json:"erasing" doc:"Always true: what is stored about the customer is being removed, which may take some minutes."`
}

func (a *api) eraseTenant(ctx context.Context, in *tenantIn) (*reply[erasedTenant], error) {
	query := millrace.Query{Limit: 500, Filters: []millrace.Filter{{Field: "tenant_id", Op: millrace.OpEq, Values: []string{in.ID}}}}
	return store.Compute(ctx, a.cfg.DB, func(tx *store.Tx) (*reply[erasedTenant], error) {
		out := &reply[erasedTenant]{erasedTenant{ID: in.ID, Erasing: true}}
		for {
			page, err := tx.ListIntegratedAccounts(ctx, in.Environment, query)
			if err != nil {
				return nil, err
			}
			if len(page.Result) == 0 {
				return out, tx.StartErasure(ctx, &millrace.Erasure{EnvironmentID: in.Environment, TenantID: in.ID})
			}
			if in.Erase != "true" {
				return nil, millrace.Errorf(millrace.KindConflict, "Can't delete tenant with connected accounts. To delete them as well, with all that is stored about them, send ?erase=true.")
			}
			for _, account := range page.Result {
				if err := a.dropAccount(tx, ctx, in.Environment, account.ID); err != nil {
					return nil, err
				}
			}
			out.Body.Accounts += len(page.Result)
		}
	})
}
