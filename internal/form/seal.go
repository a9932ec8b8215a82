package form

import (
	"encoding/base64"
	"encoding/json"

	"github.com/millrace/millrace/internal/expr"
)

// about is what a sealed text is bound to: a use, the account, whom the form is shown to, and more.
func (v *Visit) about(use string, more ...string) []byte {
	raw, _ := json.Marshal(append([]string{"form", use, string(v.row.EnvironmentID), string(v.AccountID), v.bind}, more...)) // texts can be encoded
	return raw
}

func (f *Forms) seal(plain, data []byte) (string, error) {
	sealed, err := f.Keys.Seal(plain, data)
	return base64.RawURLEncoding.EncodeToString(sealed), err
}

func (f *Forms) open(sealed string, data []byte) ([]byte, error) {
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return nil, err
	}
	return f.Keys.Open(raw, data)
}

// Option is one that a select offers.
type Option struct {
	Token string // what the form sends for it
	Label string
	Sub   string
	On    bool // it is chosen
	Fixed bool // and stays so

	value expr.Value
}

// seals returns an option to offer, sealed for its field and for the answers that its list follows from.
func (f *Forms) seals(o Option, data []byte) (Option, error) {
	raw, err := expr.EncodeJSON(o.value)
	if err != nil {
		return o, err
	}
	plain, err := json.Marshal([]string{string(raw), o.Label, o.Sub})
	if err != nil {
		return o, err
	}
	o.Token, err = f.seal(plain, data)
	return o, err
}

// offered reads an option that was offered. It reports whether it was, for this field and these answers.
func (f *Forms) offered(token string, data []byte) (Option, bool) {
	raw, err := f.open(token, data)
	if err != nil {
		return Option{}, false
	}
	var parts []string
	if json.Unmarshal(raw, &parts) != nil || len(parts) != 3 {
		return Option{}, false
	}
	value, err := expr.ParseJSON([]byte(parts[0]))
	return Option{Token: token, Label: parts[1], Sub: parts[2], On: true, value: value}, err == nil
}
