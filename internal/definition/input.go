package definition

import (
	"fmt"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/document"
	"github.com/millrace/millrace/internal/expr"
)

// mergeMember is the member of a template whose value brings in others, so that what it will hold is not known yet.
const mergeMember = "$truto_merge"

func (in Input) check(path string, x *expressions) []millrace.Failure {
	root, err := document.ParseJSON(in.RawMessage)
	if err != nil {
		return nil // absent, which is reported as such
	}
	switch root.Kind {
	case document.KindString:
		if strings.TrimSpace(root.Text) == "" {
			return []millrace.Failure{{Path: path, Message: "must not be empty"}}
		}
		return x.check(path, root.Text)
	case document.KindObject:
		return checkInput(path, root)
	case document.KindNull, document.KindBool, document.KindNumber, document.KindArray:
	}
	return nil
}

// checkInput checks the object form of run_sync_job's input: its placeholders, its keys, and ids that are not
// placeholders.
func checkInput(path string, root *document.Value) []millrace.Failure {
	var out []millrace.Failure
	parsed, err := expr.ParseJSON(root.JSON())
	if err == nil {
		_, err = expr.ParseTemplate(parsed)
	}
	if err != nil {
		out = append(out, expr.FailureOf(path, err))
	}
	for _, m := range root.Members {
		if m.Key == mergeMember {
			return out
		}
		if f := millrace.CheckRunInput(path, m.Key); f != nil {
			out = append(out, *f)
		}
	}
	if root.Get("sync_job_id") == nil {
		out = append(out, millrace.Failure{Path: path + ".sync_job_id", Message: "is required"})
	}
	for _, key := range []string{"sync_job_id", "integrated_account_id", "webhook_id"} {
		id := root.Get(key)
		switch {
		case id == nil || id.Kind == document.KindNull && key != "sync_job_id":
		case id.Kind != document.KindString:
			out = append(out, millrace.Failure{Path: path + "." + key, Message: "must be a string, not " + string(id.Kind)})
		case !strings.Contains(id.Text, "{{") && !millrace.IsID(id.Text):
			out = append(out, millrace.Failure{Path: path + "." + key, Message: fmt.Sprintf("must be a UUID or a placeholder, not %q", millrace.Shorten(id.Text))})
		}
	}
	return out
}
