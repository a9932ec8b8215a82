package httpapi

import (
	"context"
	"errors"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/store"
)

// health is the response of the probes.
type health struct {
	Status string `json:"status" enum:"ok" doc:"ok; anything else is an error."`
}

// description is a response in a format of its own.
type description struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

func (a *api) ping(context.Context, *rest.NoIn) (*rest.Reply[rest.Success], error) {
	return rest.Succeeded(), nil
}

func (a *api) healthz(context.Context, *rest.NoIn) (*rest.Reply[health], error) {
	return &rest.Reply[health]{Body: health{"ok"}}, nil
}

func (a *api) readyz(ctx context.Context, _ *rest.NoIn) (*rest.Reply[health], error) {
	// Any query will do; the environment of no token has none.
	err := a.cfg.DB.View(ctx, func(tx *store.Tx) error {
		_, err := tx.Environments().Get(ctx, "")
		if millrace.KindOf(err) == millrace.KindNotFound {
			return nil
		}
		return err
	})
	if err == nil {
		err = a.cfg.DB.CheckSpace(ctx)
	}
	if err == nil && a.cfg.Ready != nil {
		err = a.cfg.Ready(ctx)
	}
	var known *millrace.Error
	if err != nil && (!errors.As(err, &known) || known.Kind == millrace.KindInternal) {
		err = &millrace.Error{Kind: millrace.KindUnavailable, Message: "the server is not ready", Err: err}
	}
	return &rest.Reply[health]{Body: health{"ok"}}, err
}

func (a *api) openapiJSON(context.Context, *rest.NoIn) (*description, error) {
	raw, err := a.router.OpenAPIJSON()
	return &description{"application/json", raw}, err
}

func (a *api) openapiYAML(context.Context, *rest.NoIn) (*description, error) {
	raw, err := a.router.OpenAPIYAML()
	return &description{"application/yaml", raw}, err
}
