package trigger

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
)

// Explanation says what a condition comes to for an event, and which values it saw.
type Explanation struct {
	Outcome millrace.Outcome // matched, not_matched, error or limit
	Failure *millrace.Failure
	Seen    []Seen // in the order of their paths; nothing when the condition cannot be read
}

// Seen is a value that a condition reads.
type Seen struct {
	Path  string
	Value json.RawMessage // nothing: there is no such value
}

// Bounds of an explanation.
const (
	maxSeen      = 50
	maxSeenValue = 4 << 10
)

// Explain evaluates a condition for an event as it would be decided, with the context of the account that the event is about as it is now;
// it decides nothing. account is nothing where the event is about none, or has the context itself.
func Explain(ctx context.Context, runIf string, e *millrace.Event, account json.RawMessage) (*Explanation, error) {
	o, err := expr.NewOccurrence(e)
	if err != nil {
		return nil, err
	}
	if account != nil && o.AccountID() != "" {
		if err := o.SetAccountContext(account); err != nil {
			return nil, err
		}
	}
	scope := o.Scope()
	out := &Explanation{}
	out.Outcome, out.Failure = outcome(ctx, runIf, scope)
	program, err := expr.Compile(runIf)
	if runIf == "" || err != nil {
		return out, nil //nolint:nilerr // the outcome says it
	}
	for _, read := range expr.NewAnalyzer(ctx).Analyze(program).Reads {
		if len(out.Seen) == maxSeen {
			break
		}
		if len(read.Path) > 0 {
			out.Seen = append(out.Seen, Seen{read.String(), value(ctx, scope, read.Path)})
		}
	}
	return out, nil
}

// value returns what is at a path; nothing when it cannot be shown.
func value(ctx context.Context, scope expr.Value, path []string) json.RawMessage {
	quoted := make([]string, len(path))
	for i, name := range path {
		if strings.Contains(name, "`") {
			return nil
		}
		quoted[i] = "`" + name + "`"
	}
	program, err := expr.Compile(strings.Join(quoted, "."))
	if err != nil {
		return nil
	}
	v, err := program.Eval(ctx, scope, expr.LimitsCondition())
	if err != nil {
		return nil
	}
	text, err := expr.EncodeJSON(v)
	if err != nil || len(text) == 0 {
		return nil
	}
	if len(text) > maxSeenValue {
		text, _ = json.Marshal(strings.ToValidUTF8(string(text[:maxSeenValue]), "") + "…") // a string always has an encoding
	}
	return json.RawMessage(text)
}
