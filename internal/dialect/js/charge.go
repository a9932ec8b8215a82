package js

import "github.com/millrace/millrace/jsonata"

// Bounded charges functions for all that is inside their arguments before they run. A few values that contain each other many times over
// would otherwise become a text or a document without end.
func Bounded(functions ...jsonata.Func) []jsonata.Func {
	for i, f := range functions {
		functions[i].Call = func(c *jsonata.Call) (jsonata.Value, error) {
			if err := charge(c, c.Args); err != nil {
				return nil, err
			}
			return f.Call(c)
		}
	}
	return functions
}

// charge takes a step for every value in the arguments and counts the texts inside them as output.
func charge(c *jsonata.Call, args []jsonata.Value) error {
	for _, v := range args {
		switch v.(type) {
		case *jsonata.Array, *jsonata.Object:
			if err := chargeNested(c, v); err != nil {
				return err
			}
		}
	}
	return nil
}

func chargeNested(c *jsonata.Call, v jsonata.Value) error {
	switch v := v.(type) {
	case string:
		return c.Grow(len(v))
	case *jsonata.Array:
		if err := c.Step(v.Len()); err != nil {
			return err
		}
		for i := range v.Len() {
			if err := chargeNested(c, v.At(i)); err != nil {
				return err
			}
		}
	case *jsonata.Object:
		if err := c.Step(v.Len()); err != nil {
			return err
		}
		for key, member := range v.All() {
			if err := c.Grow(len(key)); err != nil {
				return err
			}
			if err := chargeNested(c, member); err != nil {
				return err
			}
		}
	}
	return nil
}

// CallText is Text within the limits of the evaluation, which an array that contains itself many times over would
// exceed.
func CallText(c *jsonata.Call, v jsonata.Value) (string, error) {
	if _, ok := v.(*jsonata.Array); ok {
		if err := GrowText(c, 0, v); err != nil {
			return "", err
		}
	}
	return Text(v), nil
}

// CallEntries is Entries within the limits of the evaluation, of which every item of an array takes a step, and every character of a
// text two: one when it is listed, one when it gets its key.
func CallEntries(c *jsonata.Call, v jsonata.Value) (*jsonata.Object, error) {
	var items []jsonata.Value
	switch v := v.(type) {
	case string:
		var err error
		if items, err = CallCharacters(c, v); err != nil {
			return nil, err
		}
	case *jsonata.Array:
		if err := c.Grow(v.Len() * entrySize); err != nil {
			return nil, err
		}
		items = v.Items()
	default:
		return Entries(v), nil
	}
	return indexed(items, func() error { return c.Step(1) })
}

const (
	// entrySize is what jsonata counts for an item.
	entrySize = 16
	// roomAtOnce is for how many items room is made before the first of them is there.
	roomAtOnce = 4096
)

// CallCharacters is Characters within the limits of the evaluation, of which every character takes a step.
func CallCharacters(c *jsonata.Call, s string) ([]jsonata.Value, error) {
	if err := c.Grow(len(s) * entrySize); err != nil {
		return nil, err
	}
	return characters(s, func() error { return c.Step(1) })
}

// Visit takes a step from the budget for every value inside v.
func Visit(c *jsonata.Call, v jsonata.Value) error {
	switch v := v.(type) {
	case *jsonata.Array:
		if err := c.Step(v.Len()); err != nil {
			return err
		}
		for _, item := range v.Items() {
			if err := Visit(c, item); err != nil {
				return err
			}
		}
	case *jsonata.Object:
		if err := c.Step(v.Len()); err != nil {
			return err
		}
		for _, member := range v.All() {
			if err := Visit(c, member); err != nil {
				return err
			}
		}
	}
	return nil
}

// GrowText announces text made of the texts of values, before it is made.
func GrowText(c *jsonata.Call, extra int, values ...jsonata.Value) error {
	if err := c.Grow(extra); err != nil {
		return err
	}
	for _, v := range values {
		switch v := v.(type) {
		case string:
			if err := c.Grow(len(v)); err != nil {
				return err
			}
		case *jsonata.Array:
			if err := c.Step(v.Len()); err != nil {
				return err
			}
			if err := GrowText(c, v.Len(), v.Items()...); err != nil {
				return err
			}
		}
	}
	return nil
}
