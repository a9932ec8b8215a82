package connection

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/egress"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/store"
)

// Descriptions of routes.
const (
	GateNote = "A proxy of yours with an address that does not change. Accounts that were connected with its id (truto_static_gate_id of a link token) " +
		"are used through it alone. The token that it is to know the server by is in this response only."
	DeleteGateNote = "409 while an account uses it."
)

type gates struct {
	*rest.Resource[millrace.StaticGateID, millrace.StaticGate, millrace.StaticGate]
}

// StaticGates are the handlers of static gates.
func (h *Handlers) StaticGates() gates {
	of := func(tx *store.Tx) store.Gates { return tx.Accounts().Gates() }
	return gates{rest.NewResource(h.DB, rest.RowsOf(of, deleteGate), rest.AsStored[millrace.StaticGate])}
}

func deleteGate(tx *store.Tx, ctx context.Context, env millrace.EnvironmentID, id millrace.StaticGateID) error {
	if _, err := tx.Accounts().Gates().Lock(ctx, env, id); err != nil {
		return err
	}
	used, err := tx.Accounts().Gates().Used(ctx, env, id)
	if err == nil && used {
		err = millrace.Errorf(millrace.KindConflict, "accounts use the static gate: connect them again with another one, or delete them first")
	}
	if err != nil {
		return err
	}
	return tx.Accounts().Gates().Delete(ctx, env, id)
}

// gateBody is the body of a create.
type gateBody struct {
	Name   string `json:"name" minLength:"1" maxLength:"200" example:"Frankfurt"`
	Domain string `json:"domain" minLength:"1" maxLength:"300" doc:"The host of the proxy, with a port if need be. It is called by https, unless it begins with http://." example:"gate.example.com"`
}

func (b *gateBody) Validate(*rest.Request, json.RawMessage) []millrace.Failure {
	return checkDomain(b.Domain)
}

func checkDomain(domain string) []millrace.Failure {
	if _, err := egress.GateURL(domain); err != nil {
		return []millrace.Failure{{Path: "domain", Message: err.Error()}}
	}
	return nil
}

// madeGate is a static gate when it is made.
type madeGate struct {
	millrace.StaticGate
	Token  string `json:"api_token" doc:"What the proxy is to know the server by. It is shown once."`
	Secret string `json:"api_token_secret" doc:"The same."`
}

// Create adds a static gate.
func (n gates) Create(ctx context.Context, in *rest.CreateIn[gateBody]) (*rest.Reply[madeGate], error) {
	var b [32]byte
	_, _ = rand.Read(b[:]) // it never fails
	token := base64.RawURLEncoding.EncodeToString(b[:])
	sealed, err := json.Marshal(token)
	if err != nil {
		return nil, fmt.Errorf("encode a token: %w", err)
	}
	return store.Compute(ctx, n.DB, func(tx *store.Tx) (*rest.Reply[madeGate], error) {
		v := millrace.StaticGate{EnvironmentID: in.Environment, Name: in.Data.Name, Domain: in.Data.Domain, Token: sealed, CreatedBy: string(in.TokenID())}
		if err := tx.Accounts().Gates().Create(ctx, &v); err != nil {
			return nil, err
		}
		return &rest.Reply[madeGate]{Body: madeGate{v, token, token}}, nil
	})
}

// gatePatch is the body of a change.
type gatePatch struct {
	Name   rest.Opt[string] `json:"name,omitzero" minLength:"1" maxLength:"200" nullable:"false"`
	Domain rest.Opt[string] `json:"domain,omitzero" minLength:"1" maxLength:"300" nullable:"false" doc:"The token stays: the new host is to know it."`
}

func (b *gatePatch) Validate(*rest.Request, json.RawMessage) []millrace.Failure {
	if !b.Domain.Sent {
		return nil
	}
	return checkDomain(b.Domain.Or(""))
}

// Patch changes a static gate.
func (n gates) Patch(ctx context.Context, in *rest.PatchIn[millrace.StaticGateID, gatePatch]) (*rest.Reply[millrace.StaticGate], error) {
	return n.Update(ctx, func(tx *store.Tx) (*millrace.StaticGate, error) {
		v, err := tx.Accounts().Gates().Lock(ctx, in.Environment, in.ID)
		if err != nil {
			return nil, err
		}
		v.Name, v.Domain = in.Data.Name.Or(v.Name), in.Data.Domain.Or(v.Domain)
		return v, tx.Accounts().Gates().Update(ctx, v)
	})
}
