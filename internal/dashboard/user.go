package dashboard

import (
	"net/http"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/people"
)

// mine is the page of who is signed in.
type mine struct {
	Only        bool // nobody signs in with a password
	HasPassword bool
	Sessions    []millrace.UserSession
	Current     string
}

func (h *Handler) me(r *request) (*view, error) {
	sessions, err := h.People.Sessions(r.Context(), r.who)
	return &view{name: "me", title: "You", body: mine{h.Door.Only(), r.who.PasswordHash != "", sessions, r.who.Session}}, err
}

func (h *Handler) setPassword(r *request) (string, error) {
	if h.Door.Only() {
		return "", errOnly(h.Door)
	}
	if err := h.People.SetPassword(r.Context(), r.who, r.PostFormValue("old_password"), r.PostFormValue("password")); err != nil {
		return "", err
	}
	return Root + "/me?done=password", nil
}

func (h *Handler) endOthers(r *request) (string, error) {
	if err := h.People.EndOthers(r.Context(), r.who); err != nil {
		return "", err
	}
	return Root + "/me?done=sessions", nil
}

// endTour shows the tour no more.
func (h *Handler) endTour(r *request) (string, error) {
	return inside(r.PostFormValue("back")), h.People.EndTour(r.Context(), r.who)
}

// peoplePage lists the users.
type peoplePage struct {
	Users []millrace.User
	Roles []millrace.Role
	May   bool
	Link  string // of a user who was invited just now; shown once
	For   string
}

func (h *Handler) people(r *request) (*view, error) {
	users, err := h.People.All(r.Context())
	return &view{name: "people", title: "People", body: peoplePage{Users: users, Roles: millrace.Roles(), May: r.who.Role.AtLeast(millrace.RoleAdmin)}}, err
}

func (h *Handler) invite(r *request) (string, error) {
	v := &millrace.User{
		Email: r.PostFormValue("email"), Name: r.PostFormValue("name"), Role: millrace.Role(r.PostFormValue("role")),
		SeesPayloads: r.PostFormValue("sees_payloads") == "on",
	}
	token, err := h.People.Invite(r.Context(), r.who, v)
	if err != nil {
		return "", err
	}
	return "", h.showLink(r, token, v.Email)
}

// showLink shows a sign-in link, which is stored nowhere.
func (h *Handler) showLink(r *request, token, user string) error {
	v, err := h.people(r)
	if err != nil {
		return err
	}
	body, _ := v.body.(peoplePage)
	body.Link, body.For = SignInAddress(h.PublicURL(), token), user
	v.body = body
	h.render(r, v, http.StatusOK, notice{})
	return nil
}

func (h *Handler) newLink(r *request) (string, error) {
	id := millrace.UserID(r.PathValue("id"))
	token, err := h.People.NewLinkFor(r.Context(), r.who, id)
	if err != nil {
		return "", err
	}
	return "", h.showLink(r, token, r.PostFormValue("email"))
}

func (h *Handler) changeUser(r *request) (string, error) {
	change := people.Change{
		Role: millrace.Role(r.PostFormValue("role")), SeesPayloads: r.PostFormValue("sees_payloads") == "on", Disabled: r.PostFormValue("disabled") == "on", Unlinked: r.PostFormValue("unlinked") == "on",
	}
	if err := h.People.Change(r.Context(), r.who, millrace.UserID(r.PathValue("id")), change); err != nil {
		return "", err
	}
	return Root + "/people?done=user", nil
}
