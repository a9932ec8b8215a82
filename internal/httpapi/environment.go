package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/store"
)

const (
	adminNote  = "For an admin token, which millrace token create --scope admin makes."
	eitherNote = "An admin token sees those of all environments."
	deleteNote = adminNote + " An environment that has anything but tokens is rejected, unless force=true says that all of it is to go. " +
		"Its tokens stop working within seconds and its name is free at once; what it has is removed in the background."
)

func (a *api) environments() *rest.Resource[millrace.EnvironmentID, millrace.Environment, millrace.Environment] {
	return rest.NewResource(a.cfg.DB, rest.Rows[millrace.EnvironmentID, millrace.Environment]{
		Get: getEnvironment,
		List: func(tx *store.Tx, ctx context.Context, own millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.Environment], error) {
			return tx.Environments().List(ctx, own, q)
		},
	}, rest.AsStored[millrace.Environment])
}

// getEnvironment returns an environment that a principal may see: its own or, of an admin, any.
func getEnvironment(tx *store.Tx, ctx context.Context, own, id millrace.EnvironmentID) (*millrace.Environment, error) {
	if own != "" && id != own {
		return nil, millrace.NotFound("environment", string(id))
	}
	return tx.Environments().Get(ctx, id)
}

// environmentBody is the body of a create.
type environmentBody struct {
	Name   string `json:"name" minLength:"1" maxLength:"200" doc:"No other environment has it, in whatever case." example:"Production"`
	Weight int64  `json:"weight,omitempty" minimum:"1" maximum:"1000" doc:"Its part of what environments share, beside others; 100 when absent." example:"100"`
}

func (b *environmentBody) Validate(*rest.Request, json.RawMessage) []millrace.Failure {
	return environmentName(b.Name)
}

func (*environmentBody) Example() string { return `{"name":"Production"}` }

func environmentName(name string) []millrace.Failure {
	if known, ok := errors.AsType[*millrace.Error](millrace.CheckEnvironmentName(name)); ok {
		return known.Failures
	}
	return nil
}

func (a *api) createEnvironment(ctx context.Context, in *rest.CreateIn[environmentBody]) (*rest.Reply[millrace.Environment], error) {
	return a.environments().Update(ctx, func(tx *store.Tx) (*millrace.Environment, error) {
		v := &millrace.Environment{Name: in.Data.Name, Weight: in.Data.Weight}
		return v, tx.Environments().Create(ctx, v)
	})
}

// environmentPatch is the body of a change to an environment.
type environmentPatch struct {
	Name   rest.Opt[string] `json:"name,omitzero" minLength:"1" maxLength:"200" nullable:"false" doc:"The new name." example:"Production"`
	Weight rest.Opt[int64]  `json:"weight,omitzero" minimum:"1" maximum:"1000" nullable:"false" doc:"Its part of what environments share, beside others: one of 200 gets twice as much as one of 100." example:"100"`

	Connect rest.Opt[connectPatch] `json:"connect,omitzero" nullable:"false" doc:"How the page looks on which customers connect accounts, and which pages may show it. Members that are absent stay."`
}

// connectPatch is a change of a [millrace.ConnectPage].
type connectPatch struct {
	Name        *string   `json:"name,omitempty" maxLength:"100" doc:"The name of your product, as customers see it; empty: that of the environment."`
	LogoURL     *string   `json:"logo_url,omitempty" maxLength:"2000" doc:"An https address of your logo."`
	Color       *string   `json:"color,omitempty" maxLength:"7" doc:"Of buttons and links: # and six hexadecimal digits." example:"#0b5fff"`
	Origins     *[]string `json:"origins,omitempty" maxItems:"50" doc:"The origins of the pages that may show the page in a frame or open it; replaced as a whole."`
	CallbackURL *string   `json:"callback_url,omitempty" maxLength:"2000" doc:"An address of your own that providers redirect customers to instead of the server's."`
}

// merge changes the members of a page that were sent.
func (p *connectPatch) merge(into millrace.ConnectPage) millrace.ConnectPage {
	for _, m := range []struct{ sent, member *string }{
		{p.Name, &into.Name}, {p.LogoURL, &into.LogoURL}, {p.Color, &into.Color}, {p.CallbackURL, &into.CallbackURL},
	} {
		if m.sent != nil {
			*m.member = *m.sent
		}
	}
	if p.Origins != nil {
		into.Origins = *p.Origins
	}
	return into
}

func (a *api) patchEnvironment(ctx context.Context, in *rest.PatchIn[millrace.EnvironmentID, environmentPatch]) (*rest.Reply[millrace.Environment], error) {
	return a.environments().Update(ctx, func(tx *store.Tx) (*millrace.Environment, error) {
		// Without the lock, a deletion that commits meanwhile would be written over.
		e, err := tx.Environments().Lock(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		if err := rest.EditOf(ctx).Fits(e); err != nil {
			return nil, err
		}
		e.Name, e.Weight = in.Data.Name.Or(e.Name), in.Data.Weight.Or(e.Weight)
		if err := millrace.CheckEnvironmentName(e.Name); err != nil {
			return nil, err
		}
		e.Connect = in.Data.Connect.Value.merge(e.Connect)
		if err := e.Connect.Check(); err != nil {
			return nil, err
		}
		return e, tx.Environments().Update(ctx, e)
	})
}

// deleteEnvironmentIn is the input of the deletion of an environment.
type deleteEnvironmentIn struct {
	ID    millrace.EnvironmentID `path:"id" doc:"The object's id, a UUID." example:"3f1a6a1e-7c0d-4b7e-9d55-0b7a3d1c2e4f"`
	Force string                 `query:"force" enum:"true,false" doc:"true: delete all that it has."`
}

func (in *deleteEnvironmentIn) Read(r *rest.Request, _ *rest.BodyReader) error {
	in.ID = millrace.EnvironmentID(strings.ToLower(string(in.ID)))
	return r.OnlyFlag("force")
}

func (a *api) deleteEnvironment(ctx context.Context, in *deleteEnvironmentIn) (*rest.Reply[rest.Deleted], error) {
	err := a.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		v, err := tx.Environments().Lock(ctx, in.ID)
		if err != nil {
			return err
		}
		has, err := tx.Rows().OfEnvironment(ctx, v.ID)
		if err != nil {
			return err
		}
		if len(has) > 0 && in.Force != "true" {
			return millrace.Errorf(millrace.KindConflict, "the environment has rows (%s); to delete all of them, send ?force=true", store.OwnedText(has))
		}
		if err := tx.Environments().StartErasure(ctx, v); err != nil {
			return err
		}
		return tx.Enqueue(ctx, millrace.EraseEnvironmentTask(v.ID))
	})
	return &rest.Reply[rest.Deleted]{Body: rest.Deleted{ID: string(in.ID)}}, err
}
