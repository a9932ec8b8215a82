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
	"github.com/millrace/millrace/internal/store"
)

const (
	signaturePath = "config.webhook.signature_verification"
	handlePath    = "config.webhook.handle_verification"
	transformPath = "config.webhook.payload_transform"
)

// maxEvaluations bounds how many requests evaluate expressions at once: whoever reaches the server can make them do so.
const maxEvaluations = 8

// Endpoint is an account, or an installation, that hooks are for.
type Endpoint struct {
	EnvironmentID   millrace.EnvironmentID
	InstallID       millrace.EnvironmentIntegrationID
	AccountID       millrace.IntegratedAccountID // empty: an installation
	TenantID        string
	IntegrationID   millrace.IntegrationID
	IntegrationName string
	Refuses         string // why it takes no hooks; empty: it does

	Transform, Handle *expr.Program
	LookupField       string // how hooks of an installation find their account: a member of its context
	LookupValue       string // must be this, a text with placeholders over body, headers and query
	Signature         *millrace.HookSignature
	SignatureErr      error // why there is no signature although the config wants one
}

// Directory finds endpoints. Its errors are of KindNotFound for what does not exist.
type Directory interface {
	Account(ctx context.Context, id millrace.IntegratedAccountID) (*Endpoint, error)
	Install(ctx context.Context, id millrace.EnvironmentIntegrationID) (*Endpoint, error)
	// Matching returns the accounts of an installation whose context has a value, at most a hundred.
	Matching(ctx context.Context, install *Endpoint, field, value string) ([]*Endpoint, error)
}

// Contexts changes the contexts of accounts.
type Contexts interface {
	// MergeTx merges a patch into an account's context and reports whether that changed it.
	MergeTx(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID, id millrace.IntegratedAccountID, patch json.RawMessage) (bool, error)
}

// Emitter stores events in a transaction.
type Emitter interface {
	EmitTx(ctx context.Context, tx *store.Tx, events ...*millrace.Event) error
}

// Config is what a receiver needs; all of it but Committers is required.
type Config struct {
	DB          *store.DB
	Directory   Directory
	Contexts    Contexts
	Emitter     Emitter
	DecodeBody  func(contentType string, raw []byte) expr.Value
	DecodeQuery func(raw string) expr.Value
	Client      *http.Client // for the keys of third parties
	Clock       func() time.Time
	Committers  int // how many commits there are at once; 0: one
}

// Receiver takes requests of third parties and evaluates them.
type Receiver struct {
	cfg      Config
	verifier *verifier
	traces   *traces
	slots    chan struct{}
	group    *store.Group[*arrived]
}

// New returns a receiver.
func New(cfg Config) (*Receiver, error) {
	if cfg.DB == nil || cfg.Directory == nil || cfg.Contexts == nil || cfg.Emitter == nil || cfg.DecodeBody == nil ||
		cfg.DecodeQuery == nil || cfg.Client == nil || cfg.Clock == nil {
		return nil, errors.New("inbound: the config is not complete")
	}
	r := &Receiver{
		cfg: cfg, verifier: &verifier{clock: cfg.Clock, keys: newKeySets(cfg.Client, cfg.Clock)},
		traces: newTraces(cfg.Clock), slots: make(chan struct{}, maxEvaluations),
	}
	r.group = store.NewGroup(r.commit, cfg.Committers)
	return r, nil
}

// Stop commits what has been handed over and ends.
func (r *Receiver) Stop() { r.group.Stop() }

// Receive answers a request once what it brings is durable. It returns errors of KindNotFound for an account that does
// not exist, KindUnauthorized for a request that proves nothing, KindReadOnly for what is neither a POST nor a
// handshake, and KindUnavailable when the keys of the third party cannot be read.
func (r *Receiver) Receive(ctx context.Context, req *millrace.InboundRequest) (*millrace.InboundAnswer, error) {
	endpoint, err := r.endpoint(ctx, req)
	if err != nil {
		return nil, err
	}
	in := &arrival{r: r, req: req, endpoint: endpoint, hook: newHook(endpoint, req)}
	if endpoint.Refuses != "" {
		err := in.reject(ctx, millrace.Failure{Message: endpoint.Refuses})
		return nil, errors.Join(err, millrace.NotFound("object", string(req.AccountID)+string(req.InstallID)))
	}
	if answer, err := in.handshake(ctx); answer != nil || err != nil {
		return answer, err
	}
	if req.Method != http.MethodPost {
		return nil, millrace.Errorf(millrace.KindReadOnly, "anything but a POST is answered only when handle_verification answers it")
	}
	return in.accept(ctx)
}

func (r *Receiver) endpoint(ctx context.Context, req *millrace.InboundRequest) (*Endpoint, error) {
	if req.AccountID != "" {
		return r.cfg.Directory.Account(ctx, req.AccountID)
	}
	return r.cfg.Directory.Install(ctx, req.InstallID)
}

// newHook is the row of a request.
func newHook(e *Endpoint, req *millrace.InboundRequest) *millrace.InboundHook {
	seen := make(map[string]string, len(req.Header))
	for name, value := range req.Header {
		switch name {
		case "authorization", "proxy-authorization", "cookie": // credentials, and nothing that an expression needs
		default:
			seen[name] = value
		}
	}
	header, _ := json.Marshal(seen) // texts always encode
	return &millrace.InboundHook{
		ID: millrace.NewID[millrace.InboundHookID](), EnvironmentID: e.EnvironmentID, EnvironmentIntegrationID: e.InstallID,
		IntegratedAccountID: e.AccountID, AccountIDs: accountIDs(e), Status: millrace.InboundAccepted,
		Method: req.Method, ContentType: req.ContentType, Size: int64(len(req.Body)),
		Header: header, Query: req.Query, Body: req.Body, EventIDs: json.RawMessage("[]"),
	}
}

func accountIDs(accounts ...*Endpoint) json.RawMessage {
	ids := []millrace.IntegratedAccountID{}
	for _, a := range accounts {
		if a.AccountID != "" {
			ids = append(ids, a.AccountID)
		}
	}
	raw, _ := json.Marshal(ids) // texts always encode
	return raw
}

// arrival is a request on its way into the database.
type arrival struct {
	r        *Receiver
	req      *millrace.InboundRequest
	endpoint *Endpoint
	hook     *millrace.InboundHook
	seen     *sight // what expressions made of it; nil: none was evaluated
}

// look evaluates what the answer depends on, once. An expression that fails is no reason to turn a request away: the
// evaluation will fail as well and say so.
func (in *arrival) look(ctx context.Context) error {
	if in.seen != nil || (in.endpoint.Handle == nil && in.endpoint.LookupField == "") {
		return nil
	}
	select {
	case in.r.slots <- struct{}{}:
		defer func() { <-in.r.slots }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	seen, failure := in.r.look(ctx, in.endpoint, in.req, expr.LimitsCondition())
	if failure != nil {
		seen = &sight{kind: kindPayload, scope: in.r.scope(in.req)}
	}
	in.seen = seen
	return context.Cause(ctx)
}

// handshake answers a request that handle_verification answers, and nothing otherwise.
func (in *arrival) handshake(ctx context.Context) (*millrace.InboundAnswer, error) {
	if in.endpoint.Handle == nil {
		return nil, nil //nolint:nilnil // no answer yet
	}
	if err := in.look(ctx); err != nil || in.seen.kind != kindVerify {
		return nil, err
	}
	in.hook.Status = millrace.InboundAnswered
	trusted, err := in.mayUpdate(ctx)
	if err != nil {
		return nil, err
	}
	traced := in.r.traces.take(in.key())
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
		_, err := tx.InsertInboundHook(ctx, &v, 0)
		return err
	})
	return in.seen.answer, err
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
	return p.refusal == "", err
}

// key names the endpoint of a request.
func (in *arrival) key() string { return string(in.req.AccountID) + string(in.req.InstallID) }

// accept stores a request that proves where it comes from.
func (in *arrival) accept(ctx context.Context) (*millrace.InboundAnswer, error) {
	accounts, failure, err := in.accounts(ctx)
	if err != nil {
		return nil, err
	}
	window, refusal, genuine, err := in.verify(ctx, accounts)
	if err != nil {
		return nil, err
	}
	if refusal != nil {
		return nil, errors.Join(in.reject(ctx, *refusal), millrace.Errorf(millrace.KindUnauthorized, "%s", refusal.Message))
	}
	if len(genuine) > 0 {
		in.hook.IntegratedAccountID, in.hook.AccountIDs = genuine[0].AccountID, accountIDs(genuine...)
	}
	if failure != nil {
		in.hook.Status, in.hook.ReplayKey = millrace.InboundFailed, ""
		in.hook.Error, _ = json.Marshal(failure) // always encodes
	}
	stored, err := in.store(ctx, window)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(map[string]any{"success": true, "id": stored})
	if err != nil {
		return nil, fmt.Errorf("encode answer: %w", err)
	}
	return &millrace.InboundAnswer{
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
	value := in.seen.lookup(e.LookupValue, in.r.scope(in.req))
	if value == "" {
		return nil, &millrace.Failure{Path: signaturePath + ".config.context_lookup_field_value", Message: "the request has no value there"}, nil
	}
	found, err := in.r.cfg.Directory.Matching(ctx, e, e.LookupField, value)
	if err == nil && len(found) == 0 {
		return nil, &millrace.Failure{Path: path, Message: fmt.Sprintf("no account of the installation has that value in %s of its context", e.LookupField)}, nil
	}
	return found, nil, err
}

// verify checks the signature of a request by the secret of each account, or of the installation when there is none. It
// returns the accounts that it is genuine for, or why it is so for none.
func (in *arrival) verify(ctx context.Context, accounts []*Endpoint) (time.Duration, *millrace.Failure, []*Endpoint, error) {
	of := accounts
	if len(of) == 0 {
		of = []*Endpoint{in.endpoint}
	}
	var refusal *millrace.Failure
	var genuine []*Endpoint
	var window time.Duration
	for _, e := range of {
		var p proof
		var err error
		switch {
		case e.SignatureErr != nil:
			p = refused("the signature cannot be checked: %v", e.SignatureErr)
		case e.Signature != nil:
			p, err = in.r.verifier.verify(ctx, e.Signature, in.req)
		}
		if err != nil {
			return 0, nil, nil, err
		}
		if p.refusal != "" {
			refusal = &millrace.Failure{Path: signaturePath, Message: p.refusal}
			continue
		}
		genuine = append(genuine, e)
		if p.id != "" {
			in.hook.ReplayKey, window = contentID(in.key()+"\x00"+p.id), p.window
		}
	}
	if len(genuine) > 0 {
		refusal = nil
	}
	return window, refusal, genuine, nil
}

// store stores the hook, or a trace of a duplicate, and returns the id of the hook that counts.
func (in *arrival) store(ctx context.Context, window time.Duration) (millrace.InboundHookID, error) {
	if in.hook.Status != millrace.InboundAccepted && !in.r.traces.take(in.key()) {
		return in.hook.ID, nil
	}
	item := &arrived{hook: in.hook, window: window, key: in.key()}
	if err := in.r.group.Add(ctx, item); err != nil {
		return "", err
	}
	return item.counts, nil
}

// reject leaves a bounded trace of a request that is turned away, without its body.
func (in *arrival) reject(ctx context.Context, why millrace.Failure) error {
	if !in.r.traces.take(in.key()) {
		return nil
	}
	return in.r.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		v := *in.hook
		v.Status, v.Body = millrace.InboundRejected, nil
		v.Error, _ = json.Marshal(why) // always encodes
		_, err := tx.InsertInboundHook(ctx, &v, 0)
		return err
	})
}
