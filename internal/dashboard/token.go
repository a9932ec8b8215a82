package dashboard

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/store"
)

// tokenPage lists the API tokens of an environment.
type tokenPage struct {
	*list[millrace.APIToken]
	May   bool
	Made  string // the token that was made just now; shown once
	Named string
}

func (h *Handler) tokens(r *request) (*view, error) {
	v := &tokenPage{May: r.who.Role.AtLeast(millrace.RoleAdmin)}
	var err error
	v.list, err = listed(h, r, func(ctx context.Context, tx *store.Tx, q millrace.Query) (millrace.Page[millrace.APIToken], error) {
		return tx.APITokens().List(ctx, r.env.ID, q)
	})
	return &view{name: "tokens", title: "API tokens", body: v}, err
}

// administer makes a request to the API that needs an admin token.
func (h *Handler) administer(ctx context.Context, r *request, method, path string, body, out any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	if body == nil {
		raw = nil
	}
	w, err := h.send(rest.Acting(ctx, "", millrace.ScopeAdmin, "user "+string(r.who.ID)), method, path, "", raw)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(w.body.Bytes(), out)
}

// createToken makes a token and shows it, which is stored nowhere.
func (h *Handler) createToken(r *request) (string, error) {
	body := map[string]any{"name": r.PostFormValue("name"), "scope": r.PostFormValue("scope"), "environment_id": r.env.ID}
	if day := r.PostFormValue("expires_at"); day != "" {
		at, err := time.Parse(time.DateOnly, day)
		if err != nil {
			return "", millrace.Invalid("expires_at", "must be a day such as 2027-01-31")
		}
		body["expires_at"] = millrace.TimeOf(at)
	}
	var made struct{ Token, Name string }
	if err := h.administer(r.Context(), r, http.MethodPost, "/api-token", body, &made); err != nil {
		return "", err
	}
	v, err := h.tokens(r)
	if err != nil {
		return "", err
	}
	if page, ok := v.body.(*tokenPage); ok {
		page.Made, page.Named = made.Token, made.Name
	}
	h.render(r, v, http.StatusOK, notice{})
	return "", nil
}

// revokeToken deletes a token of the environment.
func (h *Handler) revokeToken(r *request) (string, error) {
	id := millrace.APITokenID(strings.ToLower(r.PathValue("id")))
	err := h.DB.View(r.Context(), func(tx *store.Tx) error {
		_, err := tx.APITokens().Get(r.Context(), r.env.ID, id)
		return err
	})
	if err == nil {
		err = h.administer(r.Context(), r, http.MethodDelete, "/api-token/"+url.PathEscape(string(id)), nil, nil)
	}
	return r.path("tokens") + "?done=revoked", err
}
