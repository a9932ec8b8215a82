package millrace

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// AccountStatus says how far a connection has come.
type AccountStatus string

// The states of an integrated account: connecting -> active, or one of the errors; needs_reauth when its credentials
// stopped working.
const (
	AccountConnecting       AccountStatus = "connecting"
	AccountActive           AccountStatus = "active"
	AccountPostInstallError AccountStatus = "post_install_error"
	AccountValidationError  AccountStatus = "validation_error"
	AccountNeedsReauth      AccountStatus = "needs_reauth"
	AccountDeleting         AccountStatus = "deleting" // workflows on its deletion use it for the last time
)

// AccountStatuses returns the states of an integrated account.
func AccountStatuses() []AccountStatus {
	return []AccountStatus{AccountConnecting, AccountActive, AccountPostInstallError, AccountValidationError, AccountNeedsReauth, AccountDeleting}
}

// Next reports whether an account in state s may go to state t: from each to each other, because clients set the status, too, but
// nothing comes after deleting.
func (s AccountStatus) Next(t AccountStatus) bool {
	known := AccountStatuses()
	return s != t && s != AccountDeleting && slices.Contains(known, s) && slices.Contains(known, t)
}

// IntegratedAccount is one customer's connection to a provider.
type IntegratedAccount struct {
	ID                       IntegratedAccountID      `json:"id"`
	EnvironmentID            EnvironmentID            `json:"environment_id"`
	TenantID                 string                   `json:"tenant_id"`
	EnvironmentIntegrationID EnvironmentIntegrationID `json:"environment_integration_id"`
	AuthenticationMethod     string                   `json:"authentication_method"`
	Status                   AccountStatus            `json:"status"`
	LastError                string                   `json:"last_error,omitempty"`
	LastForbiddenError       json.RawMessage          `json:"last_forbidden_error"`   // a ForbiddenError; nothing once a later request has succeeded
	LastActionRunResult      json.RawMessage          `json:"last_action_run_result"` // an ActionRunResult; nothing for an integration without such actions
	Connection               string                   `json:"-"`                      // of the process that takes the account from connecting on; empty: none
	ActionAt                 Time                     `json:"-"`                      // when the next action with a schedule is due; 0: never
	IsSandbox                bool                     `json:"is_sandbox"`
	StaticGateID             StaticGateID             `json:"truto_static_gate_id,omitempty"` // empty: requests go straight
	Region                   string                   `json:"region"`
	Context                  json.RawMessage          `json:"context"` // without its secret members
	Secrets                  json.RawMessage          `json:"-"`       // the secret members; encrypted at rest, never shown
	Sealed                   bool                     `json:"-"`       // Secrets has all that the integration declares
	Features                 json.RawMessage          `json:"features"`
	UnifiedModelOverride     json.RawMessage          `json:"unified_model_override"`
	IntegrationOverride      json.RawMessage          `json:"integration_override"` // without the secrets in it
	FullOverride             json.RawMessage          `json:"-"`                    // with them; encrypted at rest, never shown
	Addressable              bool                     `json:"-"`                    // hooks may name it by its id alone
	CreatedAt                Time                     `json:"created_at"`
	UpdatedAt                Time                     `json:"updated_at"`
}

// ActionRunResult is the outcome of the actions that run when an account is connected. It has no secrets, and only short results of
// steps.
type ActionRunResult struct {
	Attempt     int64      `json:"attempt"`                // from 1; of the action that is under way or was the last one
	RetryAt     Time       `json:"retry_at,omitzero"`      // when a failure that may pass is tried again
	PostInstall *ActionRun `json:"post_install,omitempty"` // nil: the integration has none, or it has not begun
	Validation  *ActionRun `json:"validation,omitempty"`

	Workflows *WorkflowCheck             `json:"workflows,omitempty"` // nil: no workflow was asked
	Scheduled map[string]ScheduledAction `json:"scheduled,omitempty"` // the actions that run by themselves
}

// WorkflowCheck is what the workflows on integrated_account:validating have made of a connection, before the account is active.
type WorkflowCheck struct {
	EventID    EventID `json:"event_id"`
	Status     string  `json:"status"` // running, completed or failed
	StartedAt  Time    `json:"started_at"`
	FinishedAt Time    `json:"finished_at,omitzero"`
	Error      string  `json:"error,omitempty"` // which workflow has rejected the account, and why
}

// ScheduledAction is an action of an account that runs by itself.
type ScheduledAction struct {
	Cron      string     `json:"cron_expression"` // that NextRunAt follows from
	Timezone  string     `json:"timezone,omitempty"`
	NextRunAt Time       `json:"next_run_at"`
	LastRun   *ActionRun `json:"last_run,omitempty"` // nil: none yet
}

// Outcomes of an action or of a step of it.
const (
	ActionRunning   = "running" // only of workflows
	ActionCompleted = "completed"
	ActionFailed    = "failed"
	ActionSkipped   = "skipped" // the step's run_if did not hold
)

// ActionRun is one run of an action.
type ActionRun struct {
	Status     string             `json:"status"` // completed or failed; of an action with a schedule also skipped
	StartedAt  Time               `json:"started_at"`
	FinishedAt Time               `json:"finished_at"`
	Error      string             `json:"error,omitempty"` // of the step that failed
	Steps      []ActionStepResult `json:"steps"`           // up to the one that failed
}

// ActionStepResult is the outcome of a step of an action.
type ActionStepResult struct {
	Type      string          `json:"type"`
	Name      string          `json:"name,omitempty"`
	Status    string          `json:"status"`                // completed, skipped or failed
	Response  int             `json:"status_code,omitempty"` // of the provider
	Result    json.RawMessage `json:"result,omitempty"`      // absent when it is long
	Truncated bool            `json:"truncated,omitempty"`   // there is a result, which is too long
	Error     string          `json:"error,omitempty"`
}

// ForbiddenError is the latest 403 of a provider.
type ForbiddenError struct {
	Resource      string   `json:"resource"`
	Method        string   `json:"method"`
	MissingScopes []string `json:"missing_scopes"`
	OccurredAt    Time     `json:"occurred_at"`
}

// SetContext stores a whole context, with its secret members apart: those at the paths, each the names that lead to one, and
// those that were secret before, which no change of an integration brings to light again. It returns an error of
// KindInvalid when full is not a JSON object.
func (a *IntegratedAccount) SetContext(full json.RawMessage, secret [][]string) error {
	if len(full) == 0 {
		full = json.RawMessage("{}")
	}
	var public map[string]any
	if err := decodeNumbers(full, &public); err != nil || public == nil {
		return Invalid("context", "must be an object")
	}
	before := map[string]any{}
	if len(a.Secrets) > 0 {
		if err := decodeNumbers(a.Secrets, &before); err != nil {
			return fmt.Errorf("decode secrets: %w", err)
		}
	}
	secrets := map[string]any{}
	moveSecrets(public, secrets, append(leaves(nil, nil, before), inStored(public, secret)...))
	return a.encode(public, secrets)
}

// Seal sets secret members of the context apart that are not yet, and reports whether there were any.
func (a *IntegratedAccount) Seal(secret [][]string) (bool, error) {
	public, secrets := map[string]any{}, map[string]any{}
	for raw, into := range map[*json.RawMessage]*map[string]any{&a.Context: &public, &a.Secrets: &secrets} {
		if len(*raw) == 0 {
			continue
		}
		if err := decodeNumbers(*raw, into); err != nil {
			return false, fmt.Errorf("decode context: %w", err)
		}
	}
	if !moveSecrets(public, secrets, inStored(public, secret)) {
		a.Sealed = true
		return false, nil
	}
	return true, a.encode(public, secrets)
}

func (a *IntegratedAccount) encode(public, secrets map[string]any) error {
	var err error
	if a.Context, err = json.Marshal(public); err != nil {
		return fmt.Errorf("encode context: %w", err)
	}
	if a.Secrets, err = json.Marshal(secrets); err != nil {
		return fmt.Errorf("encode secrets: %w", err)
	}
	a.Sealed = true
	return nil
}

// Override returns the account's override of its integration with the secrets in it. Like those of the context, it is for
// requests to the provider.
func (a *IntegratedAccount) Override() json.RawMessage {
	if len(a.FullOverride) > 0 {
		return a.FullOverride
	}
	return a.IntegrationOverride
}

// FullContext returns the context with its secret members. It is for requests to the provider and for nothing
// else: it must not reach a response, an event, a log line or an expression's scope.
func (a *IntegratedAccount) FullContext() (map[string]any, error) {
	full, err := a.whole(func(raw json.RawMessage, into *map[string]any) error { return json.Unmarshal(raw, into) })
	unpack(full)
	return full, err
}

// ReadContext returns the context as everything that reads it sees it: what a client marked for the object store is its data.
func (a *IntegratedAccount) ReadContext() json.RawMessage {
	if len(a.StoredFields()) == 0 {
		return a.Context
	}
	public := map[string]any{}
	if err := decodeNumbers(a.Context, &public); err != nil {
		return a.Context
	}
	unpack(public)
	raw, err := json.Marshal(public)
	if err != nil {
		return a.Context
	}
	return raw
}

// objectStore marks a value that clients want to be kept apart: { "truto_obj_store": true, "data": ... }. Here the row has room for it,
// so that only the mark remains.
const objectStore = "truto_obj_store"

// StoredFields returns the members of the context that are marked for the object store, in the order of their names.
func (a *IntegratedAccount) StoredFields() []string {
	fields := []string{}
	if !bytes.Contains(a.Context, []byte(objectStore)) {
		return fields
	}
	public := map[string]any{}
	if err := decodeNumbers(a.Context, &public); err != nil {
		return fields
	}
	for key, v := range public {
		if _, ok := storedData(v); ok {
			fields = append(fields, key)
		}
	}
	slices.Sort(fields)
	return fields
}

// unpack puts the data of values that are marked for the object store in their place.
func unpack(context map[string]any) {
	for key, v := range context {
		if data, ok := storedData(v); ok {
			context[key] = data
		}
	}
}

// inStored adds to the paths of secrets where they are in values that are marked for the object store.
func inStored(context map[string]any, paths [][]string) [][]string {
	out := paths
	for _, path := range paths {
		if _, ok := storedData(context[path[0]]); ok && len(path) > 1 {
			out = append(slices.Clip(out), slices.Concat([]string{path[0], "data"}, path[1:]))
		}
	}
	return out
}

func storedData(v any) (any, bool) {
	m, ok := v.(map[string]any)
	if !ok || m[objectStore] != true {
		return nil, false
	}
	data, ok := m["data"]
	return data, ok
}

// MergeContext merges what was sent into the whole context: members of the top level are replaced, those that were not sent stay,
// and with them the secret ones, which no client can send back because none is shown. Of oauth, members of any depth are
// replaced. Members that are named by except are not taken. See [IntegratedAccount.SetContext] for the paths of secrets.
func (a *IntegratedAccount) MergeContext(sent json.RawMessage, secret [][]string, except ...string) error {
	full, err := a.whole(decodeNumbers)
	if err != nil {
		return err
	}
	patch := map[string]any{}
	if len(sent) > 0 {
		if err := decodeNumbers(sent, &patch); err != nil {
			return fmt.Errorf("decode context: %w", err)
		}
	}
	for _, key := range except {
		delete(patch, key)
	}
	if change, ok := patch["oauth"]; ok {
		delete(patch, "oauth")
		mergeInto(full, map[string]any{"oauth": change})
	}
	maps.Copy(full, patch)
	raw, err := json.Marshal(full)
	if err != nil {
		return fmt.Errorf("encode context: %w", err)
	}
	return a.SetContext(raw, secret)
}

// whole decodes the context with its secret members.
func (a *IntegratedAccount) whole(decode func(json.RawMessage, *map[string]any) error) (map[string]any, error) {
	full, secrets := map[string]any{}, map[string]any{}
	if len(a.Context) > 0 {
		if err := decode(a.Context, &full); err != nil {
			return nil, fmt.Errorf("decode context: %w", err)
		}
	}
	if len(a.Secrets) > 0 {
		if err := decode(a.Secrets, &secrets); err != nil {
			return nil, fmt.Errorf("decode secrets: %w", err)
		}
	}
	mergeInto(full, secrets)
	return full, nil
}

// moveSecrets moves what the paths lead to, and reports whether there was anything.
func moveSecrets(from, to map[string]any, paths [][]string) bool {
	moved := false
	for _, path := range paths {
		if v, taken, ok := takePath(from, path); ok {
			putPath(to, taken, v)
			moved = true
		}
	}
	return moved
}

// leaves lists the paths of what has a value in a document.
func leaves(out [][]string, path []string, doc map[string]any) [][]string {
	for key, v := range doc {
		here := append(slices.Clone(path), key)
		switch v := v.(type) {
		case nil:
		case map[string]any:
			out = leaves(out, here, v)
		default:
			out = append(out, here)
		}
	}
	return out
}

// takePath takes a member out of a document and returns the path that it had: one that leads into an array means the array.
func takePath(m map[string]any, keys []string) (any, []string, bool) {
	for i, k := range keys {
		v, ok := m[k]
		next, isMap := v.(map[string]any)
		_, isArray := v.([]any)
		switch {
		case !ok:
			return nil, nil, false
		case i == len(keys)-1, isArray:
			delete(m, k)
			return v, keys[:i+1], true
		case !isMap:
			return nil, nil, false
		}
		m = next
	}
	return nil, nil, false
}

func putPath(m map[string]any, keys []string, v any) {
	for _, k := range keys[:len(keys)-1] {
		next, ok := m[k].(map[string]any)
		if !ok {
			next = map[string]any{}
			m[k] = next
		}
		m = next
	}
	last := keys[len(keys)-1]
	mergeInto(m, map[string]any{last: v})
}

// mergeInto merges src into dst, member by member. The root has it for itself: it imports the standard library only.
func mergeInto(dst, src map[string]any) {
	for k, v := range src {
		child, isMap := v.(map[string]any)
		if old, ok := dst[k].(map[string]any); ok && isMap {
			mergeInto(old, child)
			continue
		}
		dst[k] = v
	}
}

// decodeNumbers decodes JSON and keeps numbers as written: ids of providers may have more digits than a
// float64.
func decodeNumbers(raw json.RawMessage, into *map[string]any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return d.Decode(into)
}

// AccountRate is what all runs of an account know of the rate limit of its provider.
type AccountRate struct {
	IntegratedAccountID IntegratedAccountID
	EnvironmentID       EnvironmentID
	BlockedSince        Time // when the provider said so
	BlockedUntil        Time // it wants no request before
}
