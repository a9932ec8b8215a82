package jsonata

import "sync"

// standard is built once because every Compile needs it.
var standard = sync.OnceValue(func() *Library { //nolint:gochecknoglobals // a constant that cannot be written as one
	lib := &Library{funcs: make(map[string]*Function)}
	for _, list := range [][]Func{numberFuncs(), textFuncs(), codecFuncs(), arrayFuncs(), objectFuncs(), higherFuncs(), timeFuncs()} {
		for _, f := range list {
			lib.funcs[f.Name] = NewFunction(f)
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
