package steer

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dashboard/editor"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
)

// SecretPage is where the secret of a webhook is changed.
type SecretPage struct {
	*millrace.Webhook
	Old      millrace.Time // until then the secret before signs as well; 0: it does not
	Fresh    string        // a secret to change to, not shown before
	Seen     int64         // what the page was made of
	Overlaps []Overlap
	Made     string // the secret that signs from now on; shown once
	Rejected *Rejection
}

// Overlap is for how long both secrets sign.
type Overlap struct {
	Seconds int64
	Name    string
	On      bool
}

func overlaps(chosen string) []Overlap {
	const hour = 3600
	out := []Overlap{{hour, "an hour", false}, {24 * hour, "a day", false}, {3 * 24 * hour, "3 days", false}, {7 * 24 * hour, "a week", false}, {30 * 24 * hour, "30 days", false}, {0, "not at all", false}}
	if !slices.ContainsFunc(out, func(o Overlap) bool { return strconv.FormatInt(o.Seconds, 10) == chosen }) {
		chosen = strconv.Itoa(24 * hour)
	}
	for i := range out {
		out[i].On = strconv.FormatInt(out[i].Seconds, 10) == chosen
	}
	return out
}

func readSecret(r *editor.Request) (*SecretPage, error) {
	id, err := r.ID()
	if err != nil {
		return nil, err
	}
	p := &SecretPage{}
	err = r.DB.View(r.Context(), func(tx *store.Tx) error {
		var err error
		if p.Webhook, err = tx.Webhooks().Get(r.Context(), r.Env, millrace.WebhookID(id)); err != nil {
			return err
		}
		p.Seen = int64(p.UpdatedAt)
		if len(p.SigningSecrets(tx.Now())) > 1 {
			p.Old = p.PreviousExpiresAt
		}
		return nil
	})
	return p, err
}

func (p *SecretPage) shown(status int) *editor.Page {
	return &editor.Page{Name: "webhook-secret", Title: "Secret of a webhook", Body: p, Status: status}
}

func secretForm(r *editor.Request) (*editor.Page, error) {
	p, err := readSecret(r)
	if err != nil {
		return nil, err
	}
	p.Overlaps = overlaps("")
	if r.Steers {
		// It is shown before it signs, so that no response that is lost takes an unknown secret with it.
		p.Fresh = secret.NewSigning(p.Secret)
	}
	return p.shown(0), nil
}

// changeSecret makes the secret of the form the one that signs, or ends the one before. The same form twice changes it once.
func changeSecret(r *editor.Request) (*editor.Page, error) {
	form, err := r.Sent()
	if err != nil {
		return nil, err
	}
	p, err := readSecret(r)
	if err != nil {
		return nil, err
	}
	var ignored struct{}
	if form.Get("do") == "end" {
		rejected, status, err := ask(r, http.MethodDelete, "/webhook/"+string(p.ID)+"/previous-secret", nil, &ignored)
		if err != nil || rejected == nil {
			return &editor.Page{To: r.URL.Path + "?done=ended"}, err
		}
		p.Rejected = rejected
		return p.shown(status), nil
	}
	fresh := strings.TrimSpace(form.Get("secret"))
	if fresh == p.Secret && fresh != "" {
		p.Made = fresh
		return p.shown(0), nil
	}
	if fresh == "" {
		return nil, millrace.Invalid("secret", "is missing")
	}
	overlap, err := strconv.ParseInt(form.Get("overlap_seconds"), 10, 64)
	if err != nil {
		return nil, millrace.Invalid("overlap_seconds", "must be a number of seconds")
	}
	seen, err := strconv.ParseInt(form.Get("seen"), 10, 64)
	if err != nil {
		return nil, millrace.Invalid("seen", "is missing: open the page again")
	}
	body := map[string]any{"secret": fresh, "overlap_seconds": overlap, "updated_at": millrace.Time(seen)}
	rejected, status, err := ask(r, http.MethodPost, "/webhook/"+string(p.ID)+"/rotate-secret", body, &ignored)
	if err != nil {
		return nil, err
	}
	if p, err = readSecret(r); err != nil {
		return nil, err
	}
	p.Overlaps = overlaps(form.Get("overlap_seconds"))
	if p.Rejected = rejected; rejected == nil {
		p.Made = fresh
		return p.shown(0), nil
	}
	p.Fresh = fresh
	return p.shown(status), nil
}
