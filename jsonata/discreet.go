package jsonata

import "strings"

// WithoutValues returns a copy of the error whose message quotes no value, for expressions that can see secrets. The
// message of $error and $assert is kept if the source contains it word for word; computed messages and the cause are
// left out.
func (e *Error) WithoutValues() *Error {
	plain := *e
	plain.Value, plain.cause = nil, nil
	if !strings.Contains(e.source, e.Token) {
		plain.Token = "" // of a source that was computed
	}
	plain.Message = e.discreet(plain.Token)
	return &plain
}

func (e *Error) discreet(token string) string {
	if e.IsLimit() && e.Code != CodeCancelled {
		return message(e) // the value is the limit
	}
	switch e.Code {
	case "D3137", "D3141", CodeHost:
		said := strings.TrimSpace(e.Message)
		if said == valueMessage(e.Code) || said != "" && strings.Contains(e.source, said) {
			return said
		}
		return "the expression failed; its message is withheld, because the expression can see secrets"
	}
	return e.filled(token, "a value")
}
