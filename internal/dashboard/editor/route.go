package editor

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/store"
)

// Request is a request of a user who is signed in, for a page of an environment.
type Request struct {
	*http.Request
	DB     *store.DB
	Env    millrace.EnvironmentID
	Base   string // address of the pages of the environment
	Sees   bool   // the user may see payloads
	Steers bool   // the user may do more than look
	Call   func(ctx context.Context, c *Call) (*Response, error)
}

// Call is a request to the API.
type Call struct {
	Method, Path string
	MediaType    string // empty: JSON
	Body         []byte
}

// Response is what the API responds with, if it does not reject the request.
type Response struct {
	Warnings []string // of its headers
	Body     []byte
}

// Page is what to show or where to go.
type Page struct {
	Name   string // of the template
	Title  string
	Body   any
	Status int    // 0: OK
	To     string // where to go instead
	Raw    []byte // JSON to respond with instead
	Live   bool   // it shows what changes
}

// Route is a page or a form below the pages of an environment.
type Route struct {
	Method, Path string
	Needs        millrace.Role
	Serve        func(*Request) (*Page, error)
}

// Routes lists them all.
func Routes() []Route {
	const get, post = http.MethodGet, http.MethodPost
	workflow, job := newWorkflows(), newJobs()
	return []Route{
		{get, "workflows/new", millrace.RoleMember, workflow.open},
		{post, "workflows/new", millrace.RoleMember, workflow.submit},
		{get, "workflows/{id}/edit", millrace.RoleViewer, workflow.open},
		{post, "workflows/{id}/edit", millrace.RoleMember, workflow.submit},
		{get, "workflows/{id}/versions", millrace.RoleViewer, versions},
		{get, "sync-jobs/new", millrace.RoleMember, job.open},
		{post, "sync-jobs/new", millrace.RoleMember, job.submit},
		{get, "sync-jobs/{id}/edit", millrace.RoleViewer, job.open},
		{post, "sync-jobs/{id}/edit", millrace.RoleMember, job.submit},
		{get, "sync-jobs/{id}/run", millrace.RoleMember, startRun},
		{post, "sync-jobs/{id}/run", millrace.RoleMember, startRun},
		{get, "sync-jobs/{id}/state", millrace.RoleViewer, state},
		{post, "sync-jobs/{id}/state", millrace.RoleMember, state},
		{get, "words", millrace.RoleMember, words},
	}
}

// MaxForm bounds the body of a form with a text: the API takes 4 MiB, of which each byte may take three in a form.
const MaxForm = 13 << 20

// Takes reports whether a path is of a form with a text, which may be large.
func Takes(path string) bool {
	for _, end := range []string{"/edit", "/new", "/run", "/state"} {
		if strings.HasSuffix(path, end) {
			return strings.Contains(path, "/workflows/") || strings.Contains(path, "/sync-jobs/")
		}
	}
	return false
}

// Sent reads the form that was sent.
func (r *Request) Sent() (url.Values, error) {
	if err := r.ParseForm(); err != nil {
		return nil, millrace.Errorf(millrace.KindTooLarge, "the form is larger than %d MiB, or broken", MaxForm>>20)
	}
	return r.PostForm, nil
}

// ID returns the id in the path; empty: there is none.
func (r *Request) ID() (string, error) {
	id := strings.ToLower(r.PathValue("id"))
	if id != "" && !millrace.IsID(id) {
		return "", millrace.NotFound("page", millrace.Shorten(id))
	}
	return id, nil
}

// check asks what is wrong with a body.
func (r *Request) check(c *Call) (*Response, error) {
	return r.Call(rest.Editing(r.Context(), rest.Edit{Check: true}), c)
}

// save stores a body in the place of what there was in the version base.
func (r *Request) save(c *Call, base string) (*Response, error) {
	return r.Call(rest.Editing(r.Context(), rest.Edit{Base: base}), c)
}
