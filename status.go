package millrace

// Status is a state of a noun. Next is its table of transitions: it reports whether a noun in a state may go to another one. That a
// state stays unchanged, is no transition and always possible.
type Status[S any] interface {
	~string
	Next(to S) bool
}

// StatusesBefore returns those of the states from which a noun may go to a state, without the state itself.
func StatusesBefore[S Status[S]](all []S, to S) []S {
	var before []S
	for _, s := range all {
		if s != to && s.Next(to) {
			before = append(before, s)
		}
	}
	return before
}
