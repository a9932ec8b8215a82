package plan

// State is what a get_state, update_state or delete_state node works on.
type State struct {
	Key   *Argument
	Value *Argument // of get_state the default; nil: none
	Write bool      // on_partial: write; what changes the state does so although something failed before it
}

// compileState compiles the config of a node about the state of runs.
func (s *spec) compileState(found *Findings) *State {
	plan := &State{}
	v, path := s.inConfig("key")
	if text, _ := v.(string); text == "" {
		found.At(path, "is required: the key of the entry")
	} else {
		plan.Key = templateArgument(v, path, found)
	}
	switch s.kind {
	case TypeGetState:
		v, _ := s.config.Get("default")
		plan.Value = anyArgument(v, s.at+".config.default", found)
	case TypeUpdateState:
		plan.Value = s.compileStateValue(found)
		plan.Write = s.compileOnPartial(found)
	case typeDeleteState:
		plan.Write = s.compileOnPartial(found)
	case TypeRequest, TypeTransform, typeSpool, typeAddContext, typeDestination, TypeEvent, typeRoot:
	}
	return plan
}

// compileOnPartial reads what becomes of a change of the state after a failure.
func (s *spec) compileOnPartial(found *Findings) bool {
	v, path := s.either("on_partial")
	switch v {
	case nil, "hold":
	case "write":
		return true
	default:
		found.At(path, "must be hold or write")
	}
	return false
}

func (s *spec) compileStateValue(found *Findings) *Argument {
	if v, path := s.inConfig("value_expression"); v != nil {
		return &Argument{Path: path, program: compileText(v, path, found)}
	}
	v, given := s.config.Get("value")
	if !given {
		found.At(s.at+".config.value", "is required, or value_expression is")
	}
	return anyArgument(v, s.at+".config.value", found)
}
