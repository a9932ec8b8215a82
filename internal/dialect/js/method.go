package js

import "github.com/millrace/millrace/jsonata"

// Method makes a member that can be called. It charges for the texts that go in and come out.
func Method(name string, call func([]jsonata.Value) (jsonata.Value, error)) jsonata.Value {
	return jsonata.NewFunction(jsonata.Func{Name: name, Params: 1, Call: func(c *jsonata.Call) (jsonata.Value, error) {
		cost := 1
		for _, v := range c.Args {
			if text, ok := v.(string); ok {
				cost += len(text)
			}
		}
		if err := c.Step(cost); err != nil {
			return nil, err
		}
		if err := charge(c, c.Args); err != nil {
			return nil, err
		}
		result, err := call(c.Args)
		if text, ok := result.(string); ok && err == nil {
			err = c.Grow(len(text))
		}
		return result, err
	}})
}

// Arg returns an argument, or undefined if there are not as many.
func Arg(args []jsonata.Value, i int) jsonata.Value {
	if i < len(args) {
		return args[i]
	}
	return nil
}
