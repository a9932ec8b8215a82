package admin

import (
	"context"
	"slices"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// What a command tells an environment about its tokens is stored with the token, and a server finds that it is to be sent.
func TestCommandsTellOfTokens(t *testing.T) {
	eachHome(t, func(t *testing.T, h *home) {
		ctx, env := t.Context(), millrace.FirstEnvironmentID()
		hook := &millrace.Webhook{EnvironmentID: env, TargetURL: "https://a.test", Secret: "secret", IsActive: true}
		if err := withStore(ctx, h.opts.Storage(), func(_ context.Context, tx *store.Tx) error { return tx.Webhooks().Create(ctx, hook) }); err != nil {
			t.Fatal(err)
		}
		for _, scope := range []millrace.TokenScope{millrace.ScopeAdmin, millrace.ScopeRead} {
			if _, err := CreateToken(ctx, h.opts.Storage(), NewToken{Scope: scope}); err != nil {
				t.Fatal(err)
			}
		}
		tokens, err := Tokens(ctx, h.opts.Storage())
		if err != nil || len(tokens) != 2 {
			t.Fatalf("got %+v, %v", tokens, err)
		}
		for i := range tokens {
			if err := DeleteToken(ctx, h.opts.Storage(), tokens[i].ID); err != nil {
				t.Fatal(err)
			}
		}
		fails(t, "a second deletion", DeleteToken(ctx, h.opts.Storage(), tokens[0].ID), "not found")
		err = withStore(ctx, h.opts.Storage(), func(_ context.Context, tx *store.Tx) error {
			events, err := tx.Events().List(ctx, env, millrace.Query{})
			if err != nil {
				return err
			}
			if len(events.Result) != 2 {
				t.Errorf("got the events %+v, want one for each change to the token of the environment", events.Result)
			}
			work, err := tx.Tasks().Open(ctx)
			if !slices.ContainsFunc(work, func(task millrace.Task) bool { return task.Kind == millrace.TaskPump }) {
				t.Errorf("no server would send them: %+v", work)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		empty := h.create("Empty")
		if _, err := CreateToken(ctx, h.opts.Storage(), NewToken{Environment: "Empty"}); err != nil {
			t.Fatal(err)
		}
		if gone, err := DeleteEnvironment(ctx, h.opts.Storage(), string(empty.ID), false); err != nil || gone.Had != "" {
			t.Errorf("an environment with nothing but a token, and an event about it: %+v, %v", gone, err)
		}
	})
}
