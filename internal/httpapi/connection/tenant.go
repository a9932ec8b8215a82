package connection

import (
	"context"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/disconnect"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/store"
)

// TenantNote is the description of DELETE /tenant/{id}.
const TenantNote = "A tenant is the tenant_id of integrated accounts, with a name and metadata. One that has accounts is rejected, unless erase=true says that " +
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
				if err := tx.Accounts().Tenants().Delete(ctx, in.Environment, millrace.TenantID(in.ID)); err != nil {
					return nil, err
				}
				return out, tx.Erasures().Start(ctx, &millrace.Erasure{EnvironmentID: in.Environment, TenantID: in.ID})
			}
			if in.Erase != "true" {
				return nil, millrace.Errorf(millrace.KindConflict, "Can't delete tenant with connected accounts. To delete them as well, with all that is stored about them, send ?erase=true.")
			}
			for _, account := range page.Result {
				if err := disconnect.Now(ctx, tx, in.Environment, account.ID); err != nil {
					return nil, err
				}
			}
			out.Body.Accounts += len(page.Result)
		}
	})
}

// Descriptions of routes.
const (
	NewTenantNote = "A tenant that an account names is made with the account."
	TenantsNote   = "Tenants that there are already are skipped."
)

type tenants struct {
	*rest.Resource[millrace.TenantID, millrace.Tenant, millrace.Tenant]
}

// Tenants are the handlers of tenants.
func (h *Handlers) Tenants() tenants {
	of := func(tx *store.Tx) store.Tenants { return tx.Accounts().Tenants() }
	return tenants{rest.NewResource(h.DB, rest.RowsOf(of, nil), rest.AsStored[millrace.Tenant])}
}

// tenantBody is the body of a create.
type tenantBody struct {
	ID       string       `json:"id" minLength:"1" maxLength:"255" doc:"Your own key of the customer; it cannot be changed." example:"acme"`
	Name     string       `json:"name,omitempty" maxLength:"255" doc:"The id when absent."`
	Metadata *rest.Object `json:"metadata,omitempty" doc:"Yours."`
}

func (b *tenantBody) Validate(*rest.Request, json.RawMessage) []millrace.Failure {
	return b.check("id")
}

func (b *tenantBody) check(path string) []millrace.Failure {
	if millrace.IsTenantID(b.ID) {
		return nil
	}
	return []millrace.Failure{{Path: path, Message: "must have 1 to 255 letters, digits and characters of ._:@+-"}}
}

func (b *tenantBody) row(env millrace.EnvironmentID) *millrace.Tenant {
	v := &millrace.Tenant{ID: millrace.TenantID(b.ID), EnvironmentID: env, Name: b.Name}
	if b.Metadata != nil {
		v.Metadata = rest.RawOr(b.Metadata.RawMessage, "{}")
	}
	return v
}

// Create makes a tenant.
func (n tenants) Create(ctx context.Context, in *rest.CreateIn[tenantBody]) (*rest.Reply[millrace.Tenant], error) {
	return n.Update(ctx, func(tx *store.Tx) (*millrace.Tenant, error) {
		v := in.Data.row(in.Environment)
		added, err := tx.Accounts().Tenants().Create(ctx, v)
		if err == nil && !added[in.Data.ID] {
			err = millrace.Errorf(millrace.KindConflict, "tenant already exists")
		}
		return v, err
	})
}

// tenantsBody is the body of a create of many.
type tenantsBody struct {
	Tenants []tenantBody `json:"tenants" minItems:"1" maxItems:"1000" doc:"The tenants."`
}

func (b *tenantsBody) Validate(*rest.Request, json.RawMessage) []millrace.Failure {
	var failures []millrace.Failure
	for i := range b.Tenants {
		failures = append(failures, b.Tenants[i].check(fmt.Sprintf("tenants[%d].id", i))...)
	}
	return failures
}

// madeTenants says which tenants were made.
type madeTenants struct {
	Created []millrace.Tenant `json:"created" doc:"Those that were made."`
	Skipped []skippedTenant   `json:"skipped" doc:"Those that there were already."`
}

// skippedTenant is a tenant that was not made.
type skippedTenant struct {
	ID     string `json:"id"`
	Reason string `json:"reason" enum:"already_exists"`
}

// CreateAll makes those of some tenants that there are not yet.
func (n tenants) CreateAll(ctx context.Context, in *rest.CreateIn[tenantsBody]) (*rest.Reply[madeTenants], error) {
	return store.Compute(ctx, n.DB, func(tx *store.Tx) (*rest.Reply[madeTenants], error) {
		out := madeTenants{Created: []millrace.Tenant{}, Skipped: []skippedTenant{}}
		var rows []*millrace.Tenant
		asked := map[string]bool{}
		for i := range in.Data.Tenants {
			if id := in.Data.Tenants[i].ID; asked[id] {
				out.Skipped = append(out.Skipped, skippedTenant{id, "already_exists"})
				continue
			}
			asked[in.Data.Tenants[i].ID] = true
			rows = append(rows, in.Data.Tenants[i].row(in.Environment))
		}
		added, err := tx.Accounts().Tenants().Create(ctx, rows...)
		if err != nil {
			return nil, err
		}
		for _, v := range rows {
			if added[string(v.ID)] {
				out.Created = append(out.Created, *v)
			} else {
				out.Skipped = append(out.Skipped, skippedTenant{string(v.ID), "already_exists"})
			}
		}
		return &rest.Reply[madeTenants]{Body: out}, nil
	})
}

// tenantGet is the input of a route about one tenant.
type tenantGet struct {
	ID millrace.TenantID `path:"id" maxLength:"255" doc:"The tenant's id." example:"acme"`
	rest.Principal
}

func (in *tenantGet) Read(r *rest.Request, _ *rest.BodyReader) error {
	in.Principal = r.Principal
	query, err := rest.ParseQuery(r.HTTP.URL.RawQuery, r.Environment)
	if err == nil && (query.None || !rest.IsText(string(in.ID))) {
		err = millrace.NotFound("tenant", millrace.Shorten(string(in.ID)))
	}
	return err
}

// Read responds with one tenant.
func (n tenants) Read(ctx context.Context, in *tenantGet) (*rest.Reply[millrace.Tenant], error) {
	return n.Get(ctx, &rest.GetIn[millrace.TenantID]{ID: in.ID, Principal: in.Principal})
}

// tenantPatch is the body of a change.
type tenantPatch struct {
	Name     rest.Opt[string]      `json:"name,omitzero" minLength:"1" maxLength:"255" nullable:"false"`
	Metadata rest.Opt[rest.Object] `json:"metadata,omitzero" doc:"Replaced as a whole."`
}

// tenantPatchIn is the input of a change to a tenant.
type tenantPatchIn struct {
	ID millrace.TenantID `path:"id" maxLength:"255" doc:"The tenant's id." example:"acme"`
	rest.Principal
	Data tenantPatch
}

func (in *tenantPatchIn) Read(r *rest.Request, b *rest.BodyReader) error {
	named := tenantGet{ID: in.ID}
	if err := named.Read(r, b); err != nil {
		return err
	}
	in.Principal = named.Principal
	return b.Read(r, &in.Data)
}

// Patch changes a tenant.
func (n tenants) Patch(ctx context.Context, in *tenantPatchIn) (*rest.Reply[millrace.Tenant], error) {
	return n.Update(ctx, func(tx *store.Tx) (*millrace.Tenant, error) {
		v, err := tx.Accounts().Tenants().Get(ctx, in.Environment, in.ID)
		if err != nil {
			return nil, err
		}
		v.Name, v.Metadata = in.Data.Name.Or(v.Name), rest.SentRaw(in.Data.Metadata, v.Metadata, "{}")
		return v, tx.Accounts().Tenants().Update(ctx, v)
	})
}
