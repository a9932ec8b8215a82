package millrace

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// RunRequest is a request for a sync job run, or for a schedule of runs: the body of POST /sync-job-run, the input of a
// workflow's run_sync_job, and what a schedule keeps.
type RunRequest struct {
	ID                  SyncJobRunID        `json:"id,omitempty"`
	EnvironmentID       EnvironmentID       `json:"environment_id,omitempty"`
	SyncJobID           SyncJobID           `json:"sync_job_id,omitempty"`
	IntegratedAccountID IntegratedAccountID `json:"integrated_account_id,omitempty"`
	WebhookID           WebhookID           `json:"webhook_id,omitempty"`
	Args                json.RawMessage     `json:"args,omitempty"`
	Resources           json.RawMessage     `json:"resources,omitempty"`
	ErrorHandling       ErrorHandling       `json:"error_handling,omitempty"`
	IgnorePreviousRun   bool                `json:"ignore_previous_run,omitempty"`
	EventsToSend        json.RawMessage     `json:"events_to_send,omitempty"`
	MutexKey            string              `json:"mutex_key,omitempty"`
	StateKey            string              `json:"state_key,omitempty"`
	Force               bool                `json:"force,omitempty"`
	Meta                json.RawMessage     `json:"meta,omitempty"`
	DaemonGroupKey      string              `json:"daemon_group_key,omitempty"`
	DaemonID            string              `json:"daemon_id,omitempty"`
	SuperQuery          string              `json:"super_query,omitempty"`
	DatastoreID         string              `json:"datastore_id,omitempty"`
	Status              RunStatus           `json:"status,omitempty"`
	Version             json.RawMessage     `json:"version,omitempty"`

	Parting bool `json:"-"` // it comes of the deletion of its account, which makes no other runs any more
}

// RunRequestMembers returns what the input of run_sync_job may hold: the members of a [RunRequest] and, for a step that
// makes a schedule, those of its [SchedulePolicy].
func RunRequestMembers() []string {
	var names []string
	for _, t := range []reflect.Type{reflect.TypeFor[RunRequest](), reflect.TypeFor[SchedulePolicy]()} {
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			names = append(names, name)
		}
	}
	return names
}

// CheckRunInput returns the member of run_sync_job's input at path, if it is none.
func CheckRunInput(path, name string) *Failure {
	known := RunRequestMembers()
	if slices.Contains(known, name) {
		return nil
	}
	f := &Failure{Path: below(path, name), Message: fmt.Sprintf("run_sync_job has no input %q", Shorten(name))}
	f.Suggest(name, known)
	return f
}

// ParseRunRequest reads a request and checks its shape. Findings name the place below prefix. Members that stand both
// beside sync_job_id and in args, as clients send either, end up in both.
func ParseRunRequest(raw json.RawMessage, prefix string) (*RunRequest, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil || members == nil {
		return nil, Invalid(prefix, "must be an object, is %s", brief(raw))
	}
	at := func(name string) string { return strings.TrimPrefix(prefix+"."+name, ".") }
	var failures []Failure
	for _, name := range []string{"sync_job_id", "integrated_account_id", "webhook_id"} {
		if f := checkID(at(name), members[name]); f != nil {
			failures = append(failures, *f)
			delete(members, name)
		}
	}
	clean, err := json.Marshal(members)
	if err != nil {
		return nil, fmt.Errorf("encode run request: %w", err)
	}
	r := &RunRequest{}
	if err := json.Unmarshal(clean, r); err != nil {
		failures = append(failures, typeFailure(prefix, err))
	} else {
		failures = append(failures, r.SettleArgs(prefix)...)
		failures = append(failures, r.check(at, members)...)
	}
	return r, InvalidAll(failures)
}

// checkID reports a member that is not a UUID, quoting it: an expression such as $mapValues hands on what it cannot
// map, and the value is what tells the author which one it was.
func checkID(path string, raw json.RawMessage) *Failure {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil || !IsID(s) {
		return &Failure{Path: path, Message: brief(raw) + " is not an id (a UUID)"}
	}
	return nil
}

func (r *RunRequest) check(at func(string) string, members map[string]json.RawMessage) []Failure {
	var failures []Failure
	switch r.ErrorHandling {
	case "", ErrorIgnore, ErrorFailFast, ErrorBatch:
	default:
		failures = append(failures, Failure{Path: at("error_handling"), Message: fmt.Sprintf("%q is none of ignore, fail_fast, batch", r.ErrorHandling)})
	}
	for _, unserved := range []struct{ name, value, message string }{
		{"daemon_group_key", r.DaemonGroupKey, "daemons are not available in this server; use webhook_id"},
		{"daemon_id", r.DaemonID, "daemons are not available in this server; use webhook_id"},
		{"datastore_id", r.DatastoreID, "datastores are not available in this server; use webhook_id"},
		{"super_query", r.SuperQuery, "Super Query is not available in this server"},
	} {
		if unserved.value != "" {
			failures = append(failures, Failure{Path: at(unserved.name), Message: unserved.message})
		}
	}
	if raw := members["events_to_send"]; len(raw) > 0 && string(raw) != "null" {
		var names []string
		if json.Unmarshal(raw, &names) != nil {
			failures = append(failures, Failure{Path: at("events_to_send"), Message: "must be an array of event names"})
		}
	}
	if raw := bytes.TrimSpace(members["resources"]); len(raw) > 0 && raw[0] != '[' && string(raw) != "null" {
		failures = append(failures, Failure{Path: at("resources"), Message: "must be an array"})
	}
	return failures
}

// SettleArgs copies integrated_account_id and webhook_id between the request and its args. What is wrong with those in args
// is found at paths below prefix.
func (r *RunRequest) SettleArgs(prefix string) []Failure {
	at := func(name string) string { return strings.TrimPrefix(prefix+"."+name, ".") }
	args := map[string]json.RawMessage{}
	if len(r.Args) > 0 && string(r.Args) != "null" {
		if err := json.Unmarshal(r.Args, &args); err != nil {
			return []Failure{{Path: at("args"), Message: "must be an object, is " + brief(r.Args)}}
		}
	}
	var failures []Failure
	account, webhook := string(r.IntegratedAccountID), string(r.WebhookID)
	for name, beside := range map[string]*string{"integrated_account_id": &account, "webhook_id": &webhook} {
		inside, ok := args[name]
		switch {
		case *beside != "":
			args[name], _ = json.Marshal(*beside)
		case ok && string(inside) != "null":
			if f := checkID(at("args."+name), inside); f != nil {
				failures = append(failures, *f)
				continue
			}
			_ = json.Unmarshal(inside, beside)
		}
	}
	slices.SortFunc(failures, func(a, b Failure) int { return strings.Compare(a.Path, b.Path) })
	r.IntegratedAccountID, r.WebhookID = IntegratedAccountID(strings.ToLower(account)), WebhookID(strings.ToLower(webhook))
	encoded, err := json.Marshal(args)
	if err != nil {
		return append(failures, Failure{Path: at("args"), Message: "cannot be stored"})
	}
	r.Args = encoded
	return failures
}

// typeFailure turns an error of the JSON decoder into a finding with the place.
func typeFailure(prefix string, err error) Failure {
	if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return Failure{Path: strings.Trim(prefix+"."+t.Field, "."), Message: fmt.Sprintf("must be a %s, is a %s", wanted(t.Type), t.Value)}
	}
	return Failure{Path: prefix, Message: err.Error()}
}

// wanted names a type as JSON knows it.
func wanted(t reflect.Type) string {
	switch t.Kind() { //nolint:exhaustive // the kinds of our members
	case reflect.String:
		return "string"
	case reflect.Int64:
		return "whole number"
	case reflect.Bool:
		return "boolean"
	}
	return t.String()
}

// below joins the path of an object and the name of a member.
func below(prefix, name string) string { return strings.TrimPrefix(prefix+"."+name, ".") }

// oneOf reports a value that is none of those that are known.
func oneOf(path, value string, known []string) *Failure {
	if slices.Contains(known, value) {
		return nil
	}
	f := &Failure{Path: path, Message: fmt.Sprintf("%q is none of %s", value, strings.Join(known, ", "))}
	f.Suggest(value, known)
	return f
}

// brief quotes the beginning of a JSON value for a message.
func brief(raw json.RawMessage) string {
	const most = 80
	s := string(bytes.TrimSpace(raw))
	if s == "" {
		return "nothing"
	}
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}
