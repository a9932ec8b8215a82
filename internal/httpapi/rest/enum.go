package rest

import (
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace"
)

// enums are the values of the types of the root package that have no others. It knows nothing of HTTP, so that its members cannot
// be tagged with what the document says of them.
func enums() map[reflect.Type][]any {
	return map[reflect.Type][]any{
		typeOf[millrace.RunStatus]():         anys(millrace.RunStatuses()...),
		typeOf[millrace.WorkflowRunStatus](): anys(millrace.WorkflowRunStatuses()...),
		typeOf[millrace.AccountStatus]():     anys(millrace.AccountStatuses()...),
		typeOf[millrace.DeliveryStatus]():    anys(millrace.DeliveryStatuses()...),
		typeOf[millrace.InboundStatus]():     anys(millrace.InboundStatuses()...),
		typeOf[millrace.CatchUp]():           anys(millrace.CatchUps()...),
		typeOf[millrace.Overlap]():           anys(millrace.Overlaps()...),
		typeOf[millrace.Ordering]():          anys(millrace.OrderingFirstAttempt, millrace.OrderingStrict),
		typeOf[millrace.OnConflict]():        anys(millrace.ConflictQueue, millrace.ConflictSkip, millrace.ConflictCancelRunning),
		typeOf[millrace.ErrorHandling]():     anys(millrace.ErrorIgnore, millrace.ErrorFailFast, millrace.ErrorBatch),
		typeOf[millrace.DisableReason]():     anys(millrace.DisabledProlonged, millrace.DisabledGone),
		typeOf[millrace.FireOutcome](): anys(millrace.FireRan, millrace.FireCoalesced, millrace.FireSkipped, millrace.FireMissed,
			millrace.FireFailed, millrace.FireStopped),
		typeOf[millrace.Outcome](): anys(millrace.OutcomeMatched, millrace.OutcomeNotMatched, millrace.OutcomeError, millrace.OutcomeLimit,
			millrace.OutcomePaused, millrace.OutcomeDeduplicated, millrace.OutcomeDelayed, millrace.OutcomeThrottled, millrace.OutcomeDebounced,
			millrace.OutcomeSkipped, millrace.OutcomeCancelled),
	}
}

func anys[T ~string](values ...T) []any {
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}

// enumerate says of the members of a schema which values they have, where their type tells.
func enumerate(s *huma.Schema, t reflect.Type, values map[reflect.Type][]any) {
	for t != nil && (t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice) {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct {
		return
	}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" {
			enumerate(s, f.Type, values)
			continue
		}
		of := f.Type
		for of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		p := s.Properties[name]
		if p == nil || p.Type != huma.TypeString || len(p.Enum) > 0 || values[of] == nil {
			continue
		}
		p.Enum = values[of]
		if f.Type.Kind() == reflect.Pointer || p.Nullable {
			p.Enum = slices.Concat(p.Enum, []any{nil})
		}
	}
}
