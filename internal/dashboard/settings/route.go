package settings

import (
	"context"
	"net/http"
	"net/url"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dashboard/editor"
	"github.com/millrace/millrace/internal/store"
)

// Request is a request of a user who is signed in.
type Request struct {
	*http.Request
	DB     *store.DB
	Env    *millrace.Environment // nil: the page belongs to none
	Role   millrace.Role         // of the user
	Now    millrace.Time
	Root   string // address of the dashboard
	Server *Server

	// Call makes a request to the API with the scope of an admin token, and decodes the response.
	Call func(ctx context.Context, method, path string, body, out any) error
}

// Route is a page or a form.
type Route struct {
	Method, Path string
	Needs        millrace.Role
	Serve        func(*Request) (*editor.Page, error)
}

// Routes lists them all.
func Routes() []Route {
	const get, post = http.MethodGet, http.MethodPost
	return []Route{
		{get, "/server", millrace.RoleAdmin, server},
		{get, "/environments", millrace.RoleViewer, environments},
		{post, "/environments", millrace.RoleAdmin, create},
		{get, "/environments/{id}", millrace.RoleViewer, erasing},
		{get, "/environment/{env}/settings", millrace.RoleViewer, environment},
		{post, "/environment/{env}/settings", millrace.RoleAdmin, save},
		{get, "/environment/{env}/settings/delete", millrace.RoleOwner, erase},
		{post, "/environment/{env}/settings/delete", millrace.RoleOwner, erase},
	}
}

// may reports whether the user has a role.
func (r *Request) may(role millrace.Role) bool { return r.Role.AtLeast(role) }

// base is the address of the pages of an environment.
func (r *Request) base(id millrace.EnvironmentID) string {
	return r.Root + "/environment/" + string(id)
}

// form reads what was sent. It returns an error of KindTooLarge for more than a form may have.
func (r *Request) form() (url.Values, error) {
	if err := r.ParseForm(); err != nil {
		return nil, &millrace.Error{Kind: millrace.KindTooLarge, Message: "the form is too large, or broken", Err: err}
	}
	return r.PostForm, nil
}
