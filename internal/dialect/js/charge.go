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

// CallEntries is Entries within the limits of the evaluation, of which every character of a text and every item of an array takes a
// step.
func CallEntries(c *jsonata.Call, v jsonata.Value) (*jsonata.Object, error) {
	if err := chargeEntries(c, v); err != nil {
		return nil, err
	}
	return Entries(v), nil
}

// CallCharacters is Characters within the limits of the evaluation.
func CallCharacters(c *jsonata.Call, s string) ([]jsonata.Value, error) {
	if err := chargeEntries(c, s); err != nil {
		return nil, err
	}
	return Characters(s), nil
}

func chargeEntries(c *jsonata.Call, v jsonata.Value) error {
	const entrySize = 16 // what jsonata counts for an item
	n := 0
	switch v := v.(type) {
	case string:
		n = len(v)
	case *jsonata.Array:
		n = v.Len()
	}
	if err := c.Grow(n * entrySize); err != nil {
		return err
	}
	return c.Step(n)
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
