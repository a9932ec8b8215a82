package jsonata

import "sync"

// standard is built once because every Compile needs it.
var standard = sync.OnceValue(func() *Library { //nolint:gochecknoglobals // a constant that cannot be written as one
	lib := &Library{funcs: make(map[string]*Function)}
	for _, list := range [][]builtin{numberFuncs(), textFuncs(), codecFuncs(), arrayFuncs(), objectFuncs(), higherFuncs(), timeFuncs()} {
		for _, b := range list {
			f := Func{Name: b.name, Signature: b.signature, Params: b.params, Call: b.call}
			switch b.name {
			case "now", "millis", "random", "shuffle":
				f.Volatile = true
			}
			fn := NewFunction(f)
			fn.static = true
			lib.funcs[b.name] = fn
		}
	}
	return lib
})

// Standard returns the library of JSONata's built-in functions.
func Standard() *Library { return standard() }

// defined makes a function return undefined when its first argument is.
func defined(fn func(*Call) (Value, error)) func(*Call) (Value, error) {
	return func(c *Call) (Value, error) {
		if c.Arg(0) == nil {
			return nil, nil
		}
		return fn(c)
	}
}

// builtin is a row in the tables of built-in functions.
type builtin struct {
	name, signature string
	params          int
	call            func(*Call) (Value, error)
}
