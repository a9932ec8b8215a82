// Package steer is where people act on deliveries and integrations: what a webhook did not get is sent again, its secret is changed. Its forms
// are requests to the API, in the name of who is signed in.
package steer

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dashboard/editor"
	"github.com/millrace/millrace/internal/httpapi/rest"
)

// Routes lists the pages and forms.
func Routes() []editor.Route {
	const get, post = http.MethodGet, http.MethodPost
	return []editor.Route{
		{Method: get, Path: "deliveries/again", Needs: millrace.RoleViewer, Serve: choose},
		{Method: post, Path: "deliveries/again", Needs: millrace.RoleMember, Serve: begin},
		{Method: get, Path: "deliveries/redeliveries/{id}", Needs: millrace.RoleViewer, Serve: progress},
		{Method: post, Path: "deliveries/redeliveries/{id}/stop", Needs: millrace.RoleMember, Serve: stop},
		{Method: get, Path: "webhooks/{id}/secret", Needs: millrace.RoleViewer, Serve: secretForm},
		{Method: post, Path: "webhooks/{id}/secret", Needs: millrace.RoleMember, Serve: changeSecret},
	}
}

// Rejection is what the API has against a request.
type Rejection struct {
	Message  string
	Failures []millrace.Failure
}

// ask makes a request to the API, and decodes the response. What the API rejects is returned with its status; other errors are errors.
func ask(r *editor.Request, method, path string, body, out any) (*Rejection, int, error) {
	c := &editor.Call{Method: method, Path: path}
	if body != nil {
		var err error
		if c.Body, err = json.Marshal(body); err != nil {
			return nil, 0, err
		}
	}
	resp, err := r.Call(r.Context(), c)
	var known *millrace.Error
	switch {
	case errors.As(err, &known) && known.Kind != millrace.KindNotFound:
		return &Rejection{known.Message, known.Failures}, rest.StatusOf(known.Kind), nil
	case err != nil:
		return nil, 0, err
	}
	return nil, http.StatusOK, json.Unmarshal(resp.Body, out)
}
