package plan

import (
	"encoding/json"

	"github.com/millrace/millrace"
)

// Check returns everything that is wrong with a job that is about to be saved: names, references, cycles, types of
// nodes that this server does not have, and every expression and template that does not compile, with its place.
// version is the job's default_runtime_version; 0 decides by the shape of resources.
func Check(resources json.RawMessage, version int64, argsSchema json.RawMessage) []millrace.Failure {
	found := &Findings{}
	_, specs, _ := buildInto(resources, version, found)
	unserved(specs, found)
	found.uncallable()
	ReadArgsSchema(argsSchema, found)
	return found.Failures
}
