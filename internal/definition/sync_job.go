package definition

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/document"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/syncjob/plan"
)

// maxVersion is the newest runtime version: a graph of nodes.
const maxVersion = 4

// SyncJob is a sync job, or a template of one, as written.
type SyncJob struct {
	Version        int64           // default_runtime_version; 0: decided by the resources
	Resources      json.RawMessage // nodes of the graph, or list of resources
	ArgsSchema     json.RawMessage
	ArgsValidation string // JSONata
	MutexKey       string // a template
	StateKey       string // a template
}

// Check returns what is wrong with a sync job.
func (j *SyncJob) Check() []millrace.Failure {
	var out []millrace.Failure
	if j.Version < 0 || j.Version > maxVersion {
		out = append(out, millrace.Failure{Path: "default_runtime_version", Message: fmt.Sprintf("must be a whole number from 1 to %d", maxVersion)})
	}
	if j.ArgsValidation != "" {
		if _, err := expr.Compile(j.ArgsValidation); err != nil {
			out = append(out, expr.FailureOf("args_validation", err))
		}
	}
	out = append(out, CheckKeys(j.MutexKey, j.StateKey)...)
	return append(out, CheckResources(j.Resources, j.Version, j.ArgsSchema)...)
}

// CheckKeys returns what is wrong with the templates of mutex_key and state_key.
func CheckKeys(mutex, state string) []millrace.Failure {
	var out []millrace.Failure
	for _, key := range []struct{ path, text string }{{"mutex_key", mutex}, {"state_key", state}} {
		if _, err := expr.ParseTemplate(key.text); err != nil {
			out = append(out, expr.FailureOf(key.path, err))
		}
	}
	return out
}

// CheckResources returns what is wrong with the resources of a sync job and the arguments that they are given, at paths
// below resources and args_schema.
func CheckResources(resources json.RawMessage, version int64, argsSchema json.RawMessage) []millrace.Failure {
	if len(resources) == 0 || string(resources) == "null" {
		resources = json.RawMessage("[]")
	}
	root, err := document.ParseJSON(resources)
	if err != nil {
		return nil // of the wrong shape, which is reported as such
	}
	var out []millrace.Failure
	for i, item := range root.Items {
		if item.Kind != document.KindObject {
			out = append(out, millrace.Failure{
				Path: fmt.Sprintf("resources[%d]", i), Message: fmt.Sprintf("must be an object, not %s", item.Kind),
			})
		}
	}
	if len(out) == 0 && (len(root.Items) > 0 || len(argsSchema) > 0) {
		out = plan.Check(resources, version, argsSchema)
	}
	return out
}

// WarnSyncJob returns what is not wrong with a sync job but probably not meant.
func WarnSyncJob(ctx context.Context, v *millrace.SyncJob) []millrace.Failure {
	if len(v.Resources) == 0 || string(v.Resources) == "[]" || string(v.Resources) == "null" {
		return []millrace.Failure{{Path: "resources", Message: "is empty: a run fetches nothing"}}
	}
	return plan.Warn(ctx, v.Resources, v.DefaultRuntimeVersion, v.ArgsSchema)
}
