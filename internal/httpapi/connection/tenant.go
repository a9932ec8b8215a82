package connection

import (
	"context"
	"unicode/utf8"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/store"
)

// TenantNote is the description of DELETE /tenant/{id}.
const TenantNote = "A tenant is the tenant_id of integrated accounts. One that has accounts is rejected, unless erase=true says that " +
	"they are to go as well. Then every account is deleted as by DELETE /integrated-account, and events whose payload " +
	"names the tenant as tenant_id are removed, with what followed from them."

// tenantIn is the input of the removal of a tenant.
type tenantIn struct {
	ID    string `path:"id" maxLength:"255" doc:"The tenant_id of its accounts." example:"acme"`
	Erase string `query:"erase" enum:"true,false" doc:"true: delete its accounts too."`
	rest.Principal
}

func (in *tenantIn) Read(r *rest.Request, _ *rest.BodyReader) error {
	in.Principal = r.Principal
	if n := utf8.RuneCountInString(in.ID); n == 0 || n > 255 || !rest.IsText(in.ID) {
		return millrace.NotFound("tenant", millrace.Shorten(in.ID))
	}
	return r.OnlyFlag("erase")
}

// erasedTenant is the response to the removal of a tenant.
type erasedTenant struct {
	ID       string `json:"id" doc:"The tenant."`
	Accounts int    `json:"accounts" doc:"How many accounts were deleted."`
	Erasing  bool   `json:"erasing" doc:"Always true: what is stored about the customer is being removed, which may take some minutes."`
}

// EraseTenant deletes a tenant with all that is stored about it.
func (h *Handlers) EraseTenant(ctx context.Context, in *tenantIn) (*rest.Reply[erasedTenant], error) {
	query := millrace.Query{Limit: 500, Filters: []millrace.Filter{{Field: "tenant_id", Op: millrace.OpEq, Values: []string{in.ID}}}}
	return store.Compute(ctx, h.DB, func(tx *store.Tx) (*rest.Reply[erasedTenant], error) {
		out := &rest.Reply[erasedTenant]{Body: erasedTenant{ID: in.ID, Erasing: true}}
		for {
			page, err := tx.Accounts().List(ctx, in.Environment, query)
			if err != nil {
				return nil, err
			}
			if len(page.Result) == 0 {
				return out, tx.Erasures().Start(ctx, &millrace.Erasure{EnvironmentID: in.Environment, TenantID: in.ID})
			}
			if in.Erase != "true" {
				return nil, millrace.Errorf(millrace.KindConflict, "Can't delete tenant with connected accounts. To delete them as well, with all that is stored about them, send ?erase=true.")
			}
			for _, account := range page.Result {
				if err := dropAccount(tx, ctx, in.Environment, account.ID); err != nil {
					return nil, err
				}
			}
			out.Body.Accounts += len(page.Result)
		}
	})
}
