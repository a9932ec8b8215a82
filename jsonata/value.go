package jsonata

// Value is a JSONata value. The dynamic type is one of
//
//	nil       undefined: a path that matched nothing
//	Null      JSON null
//	bool
//	float64
//	string
//	*Array
//	*Object
//	*Function
//	Host      an object of the host program
//
// Other Go values are converted as [FromGo] does where they enter: as input, variable, result of a host function, member of a
// host, and, unless they are structs or pointers, as members of objects and items of arrays. What cannot be converted is an error.
//
// Values are shared freely between input, variables and results, so a value must
// not be changed once an evaluation has seen it.
type Value = any

// Null is JSON null, which is a value like any other and distinct from
// undefined.
type Null struct{}

// Host is an object of the host program with fields and methods of its own, for
// example a date-time. A method is a member that is a [*Function]. Member and
// JSON may be called from several goroutines when the value is shared.
type Host interface {
	// Member returns a field or a method, and whether there is one of that name.
	Member(name string) (Value, bool)
	// JSON returns what the object looks like when it is serialised. The result
	// must not contain the object itself.
	JSON() Value
}

// Lister is a [Host] whose members can be listed: $keys, $each, $spread, the wildcards and others see them. Of other hosts
// they see the members of what JSON returns.
type Lister interface {
	Host
	// Names lists the members in order.
	Names() []string
}

// Boolean casts a value to a boolean as the function $boolean does: undefined,
// null, false, 0, NaN, "", empty arrays and objects, functions, and arrays
// without a true member are false.
func Boolean(v Value) bool {
	switch v := v.(type) {
	case bool:
		return v
	case string:
		return v != ""
	case float64:
		return v != 0 && v == v
	case *Array:
		return anyTrue(v, maxNesting)
	case *Object:
		return v.Len() > 0
	case Host:
		return true
	case nil, Null, *Function:
		return false
	}
	out, err := converted(v)
	return err != nil || Boolean(out)
}

func anyTrue(a *Array, depth int) bool {
	if depth == 0 {
		return true
	}
	for i := range a.Len() {
		switch v := a.At(i).(type) {
		case *Array:
			if anyTrue(v, depth-1) {
				return true
			}
		default:
			if Boolean(v) {
				return true
			}
		}
	}
	return false
}
