package syntax

import "strings"

// Types of values as a set, with the letters of signatures.
const (
	TypeArray uint16 = 1 << iota
	TypeString
	TypeNumber
	TypeBoolean
	TypeNull
	TypeFunction
	TypeObject
	TypeMissing
)

const anyType = TypeArray | TypeString | TypeNumber | TypeBoolean | TypeNull | TypeFunction | TypeObject | TypeMissing

// Param is one parameter of a signature.
type Param struct {
	Letter   byte   // of the type; '(' for a choice
	Types    uint16 // acceptable types
	Optional bool
	Repeated bool
	Context  bool   // taken from the context item when missing
	Contexts uint16 // acceptable types of the context item
	Typed    bool   // Subtype was written, which may be empty
	Subtype  string // of an array's items
}

// Signature is a parsed function signature.
type Signature struct{ Params []Param }

// ParseSignature parses text like <s-n?:s>. The position of an error is an offset
// in the text.
func ParseSignature(text string) (*Signature, error) {
	sig := &Signature{}
	for i := 1; i < len(text) && text[i] != ':'; i++ {
		var last *Param
		if n := len(sig.Params); n > 0 {
			last = &sig.Params[n-1]
		}
		switch c := text[i]; c {
		case '-':
			if last != nil {
				last.Contexts = last.Types
				if last.Optional { // then the reference implementation accepts any
					last.Contexts = anyType
				}
				last.Context, last.Optional = true, true
			}
		case '?':
			if last != nil {
				last.Optional = true
			}
		case '+':
			if last != nil {
				last.Repeated = true
			}
		case '<':
			end := closing(text, i, '<', '>')
			if last == nil || last.Letter != 'a' && last.Letter != 'f' {
				return nil, &Error{Code: "S0401", Pos: i, Value: text}
			}
			last.Typed = true
			last.Subtype = text[i+1 : min(end, len(text))]
			i = end
		case '(':
			end := closing(text, i, '(', ')')
			choice := text[i+1 : min(end, len(text))]
			if strings.IndexByte(choice, '<') >= 0 {
				return nil, &Error{Code: "S0402", Pos: i, Value: choice}
			}
			sig.Params = append(sig.Params, Param{Letter: '(', Types: choiceOf(choice)})
			i = end
		default:
			if types, ok := typesOf(c); ok {
				sig.Params = append(sig.Params, Param{Letter: c, Types: types})
			}
		}
	}
	return sig, nil
}

func choiceOf(letters string) uint16 {
	types := TypeMissing
	for i := range len(letters) {
		if t, ok := TypeOfLetter(letters[i]); ok {
			types |= t
		}
	}
	return types
}

func typesOf(letter byte) (uint16, bool) {
	switch letter {
	case 'a', 'x':
		return anyType, true
	case 'j':
		return anyType &^ TypeFunction, true
	case 'f':
		return TypeFunction, true
	}
	t, ok := TypeOfLetter(letter)
	return t | TypeMissing, ok
}

// TypeOfLetter returns the type a letter of a signature stands for.
func TypeOfLetter(letter byte) (uint16, bool) {
	if i := strings.IndexByte("asnblfom", letter); i >= 0 {
		return 1 << i, true
	}
	return 0, false
}

// closing returns where the bracket at i is closed, or the end of the text.
func closing(text string, i int, open, shut byte) int {
	depth := 1
	for i++; i < len(text); i++ {
		switch text[i] {
		case shut:
			if depth--; depth == 0 {
				return i
			}
		case open:
			depth++
		}
	}
	return i
}
