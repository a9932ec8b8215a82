package jsonata

import (
	"strconv"
	"strings"
)

// WithoutValues returns the error with a message that quotes no value, for expressions that see what others must not. The
// message of $error and $assert stays when it stands in the source as it is; whatever else was computed is left out, and so
// is the cause.
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
	text := syntaxMessage(e.Code)
	if text == "" {
		text = typeMessage(e.Code)
	}
	if text == "" {
		text = valueMessage(e.Code)
	}
	if text == "" {
		return "the expression failed"
	}
	return strings.NewReplacer("%t", showToken(token), "%v", "a value", "%i", strconv.Itoa(e.Index)).Replace(text)
}
