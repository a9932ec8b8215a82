package inbound

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/internal/observe"
	"github.com/millrace/millrace/internal/store"
)

// arrival is a request on its way into the database.
type arrival struct {
	r        *Receiver
	req      *millrace.InboundRequest
	endpoint *Endpoint
	hook     *millrace.InboundHook
	seen     *sight // what expressions made of it; nil: none was evaluated
}

// look evaluates what the response depends on, once. An expression that fails is no reason to turn a request away: the
// evaluation will fail as well and say so.
func (in *arrival) look(ctx context.Context) error {
	if in.seen != nil || (in.endpoint.Handle == nil && in.endpoint.LookupField == "") {
		return nil
	}
	m := memory.Measure(in.req.Body)
	switch {
	case m.Values() > maxHookValues:
		return errTooMany()
	case in.endpoint.LookupField == "" && (m.Text() > maxHandshake || m.Values() > maxHandshakeValues):
		in.seen = &sight{kind: kindPayload} // its task looks at it
		return nil
	}
	lease, err := in.r.reserve(ctx, in.key(), m)
	if err != nil {
		return err
	}
	defer lease.Release()
	select {
	case in.r.slots <- struct{}{}:
		defer func() { <-in.r.slots }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	e := *in.endpoint
	if e.LookupField == "" {
		e.Transform = nil // its task evaluates it
	}
	seen, failure := in.r.look(ctx, &e, in.req, expr.LimitsCondition())
	if failure != nil {
		seen = &sight{kind: kindPayload, scope: in.r.scope(in.endpoint, in.req)}
	}
	in.seen = seen
	return context.Cause(ctx)
}

// errTooMany rejects what would take too much memory for expressions to look at.
func errTooMany() error {
	return millrace.Errorf(millrace.KindTooLarge, "the body has more than %d values", maxHookValues)
}

// reserve reserves what a body takes while expressions look at it: the text, what it is decoded, and what they make of it.
func (r *Receiver) reserve(ctx context.Context, owner string, m *memory.Meter) (*memory.Lease, error) {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	lease, err := r.cfg.Memory.Acquire(limited, owner, 2*(m.Text()+m.Size()))
	if err != nil && ctx.Err() == nil {
		err = &millrace.Error{Kind: millrace.KindUnavailable, Message: "the server has no memory left for another request at the moment; try again", Err: err}
	}
	return lease, err
}

// handshake returns the response to a handshake, if handle_verification has one for this request.
func (in *arrival) handshake(ctx context.Context) (*millrace.InboundResponse, error) {
	if in.endpoint.Handle == nil {
		return nil, nil //nolint:nilnil // no response yet
	}
	if err := in.look(ctx); err != nil || in.seen.kind != kindVerify {
		return nil, err
	}
	in.hook.Status = millrace.InboundAnswered
	trusted, err := in.mayUpdate(ctx)
	if err != nil {
		return nil, err
	}
	traced := in.r.traces.take(in.place())
	err = in.r.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		e := millrace.InboundEvaluation{Type: kindVerify}
		if trusted {
			var err error
			e.ContextUpdated, err = in.r.cfg.Contexts.MergeTx(ctx, tx, in.endpoint.EnvironmentID, in.endpoint.AccountID, in.seen.update)
			if err != nil {
				return err
			}
		}
		if !traced {
			return nil
		}
		v := *in.hook
		v.Evaluation, _ = json.Marshal(e) // always encodes
		return tx.Hooks().Create(ctx, &v)
	})
	return in.seen.response, err
}

// mayUpdate reports whether a handshake may change the account's context: while the account has no secret, which the
// handshake may bring, and afterwards when it is signed. Otherwise anyone could replace the secret by one of their own.
func (in *arrival) mayUpdate(ctx context.Context) (bool, error) {
	if in.seen.update == nil || in.endpoint.AccountID == "" {
		return false, nil
	}
	if in.endpoint.Signature == nil {
		return true, nil
	}
	p, err := in.r.verifier.verify(ctx, in.endpoint.Signature, in.req)
	return p.reason == "", err
}

// key names the endpoint of a request in its environment.
func (in *arrival) key() string { return string(in.req.AccountID) + string(in.req.InstallID) }

// place names the endpoint of a request among those of all environments.
func (in *arrival) place() string { return millrace.TaskKey(in.endpoint.EnvironmentID, in.key()) }

// accept stores a request that proves where it comes from.
func (in *arrival) accept(ctx context.Context) (*millrace.InboundResponse, error) {
	accounts, failure, err := in.accounts(ctx)
	if err != nil {
		return nil, err
	}
	v, err := in.verify(ctx, accounts)
	if err != nil {
		return nil, err
	}
	if len(v.genuine) == 0 {
		err := in.reject(ctx, millrace.Failure{Path: signaturePath, Message: v.reason + v.detail})
		return nil, errors.Join(err, millrace.Errorf(millrace.KindUnauthorized, "%s", v.reason))
	}
	in.hook.IntegratedAccountID, in.hook.AccountIDs = v.genuine[0].AccountID, accountIDs(v.genuine...)
	if failure != nil {
		in.hook.Status, in.hook.ReplayKey = millrace.InboundFailed, ""
		in.hook.Error, _ = json.Marshal(failure) // always encodes
	}
	stored, err := in.store(ctx, v.window)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(map[string]any{"success": true, "id": stored})
	if err != nil {
		return nil, fmt.Errorf("encode response: %w", err)
	}
	return &millrace.InboundResponse{
		Status: http.StatusOK, Header: map[string]string{"Content-Type": "application/json"}, Body: body,
	}, nil
}

// accounts returns the accounts that a request is about, or why there are none. A request for an account is about that.
func (in *arrival) accounts(ctx context.Context) ([]*Endpoint, *millrace.Failure, error) {
	e := in.endpoint
	if e.AccountID != "" {
		return []*Endpoint{e}, nil, nil
	}
	path := signaturePath + ".config.context_lookup_field_name"
	if e.LookupField == "" {
		return nil, &millrace.Failure{Path: path, Message: "is not set, so no account can be found for a hook of the installation"}, nil
	}
	if err := in.look(ctx); err != nil {
		return nil, nil, err
	}
	value := in.seen.lookup(e.LookupValue, in.r.scope(in.endpoint, in.req))
	if value == "" {
		return nil, &millrace.Failure{Path: signaturePath + ".config.context_lookup_field_value", Message: "the request has no value there"}, nil
	}
	found, err := in.r.cfg.Directory.Matching(ctx, e, e.LookupField, value)
	if err == nil && len(found) == 0 {
		return nil, &millrace.Failure{Path: path, Message: fmt.Sprintf("no account of the installation has that value in %s of its context", e.LookupField)}, nil
	}
	return found, nil, err
}

// verdict is what is known of where a request comes from.
type verdict struct {
	genuine []*Endpoint   // the accounts that it is genuine for
	window  time.Duration // in which its replay key counts
	reason  string        // why it is genuine for no account
	detail  string        // more of that, for those who may see the config
}

// verify checks the signature of a request by the secret of each account, or of the installation when there is none.
func (in *arrival) verify(ctx context.Context, accounts []*Endpoint) (verdict, error) {
	of := accounts
	if len(of) == 0 {
		of = []*Endpoint{in.endpoint}
	}
	var v verdict
	for _, e := range of {
		if e.SignatureErr != nil {
			v.reason, v.detail = "the signature cannot be checked", ": "+e.SignatureErr.Error()
			continue
		}
		var p proof
		if e.Signature != nil {
			var err error
			if p, err = in.r.verifier.verify(ctx, e.Signature, in.req); err != nil {
				return verdict{}, err
			}
		}
		if p.reason != "" {
			v.reason, v.detail = p.reason, ""
			continue
		}
		v.genuine = append(v.genuine, e)
		if p.id != "" {
			in.hook.ReplayKey, v.window = contentID(in.key()+"\x00"+p.id), p.window
		}
	}
	return v, nil
}

// store stores the hook, or a trace of a duplicate, and returns the id of the hook that counts.
func (in *arrival) store(ctx context.Context, window time.Duration) (millrace.InboundHookID, error) {
	if in.hook.Status != millrace.InboundAccepted {
		in.r.became(ctx, in.hook.Status)
		if !in.r.traces.take(in.place()) {
			return in.hook.ID, nil
		}
	}
	item := &pending{hook: in.hook, window: window, key: in.place()}
	if err := in.r.group.Add(ctx, item); err != nil {
		return "", err
	}
	if item.counts != in.hook.ID {
		in.r.became(ctx, millrace.InboundDuplicate)
	}
	return item.counts, nil
}

// became reports the outcome of a request.
func (r *Receiver) became(ctx context.Context, status millrace.InboundStatus) {
	r.cfg.Observe.Tell(ctx, observe.Fact{Kind: observe.Hook, Outcome: string(status)})
}

// reject leaves a bounded trace of a request that is rejected, without its body.
func (in *arrival) reject(ctx context.Context, why millrace.Failure) error {
	in.r.became(ctx, millrace.InboundRejected)
	if !in.r.traces.take(in.place()) {
		return nil
	}
	return in.r.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		v := *in.hook
		v.Status, v.ReplayKey, v.Body = millrace.InboundRejected, "", nil
		v.Error, _ = json.Marshal(why) // always encodes
		return tx.Hooks().Create(ctx, &v)
	})
}
