package dialect

import (
	"errors"
	"math"

	"github.com/google/uuid"
	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

// stringFunctions are the functions that make or read text.
func stringFunctions() []jsonata.Func {
	mime := mimeLookup()
	variable, err := jsonata.Compile("$v")
	if err != nil {
		panic("dialect: " + err.Error())
	}
	return []jsonata.Func{
		{Name: "string", Signature: "<x-b?:s>", Params: 1, Call: func(c *jsonata.Call) (jsonata.Value, error) {
			return stringFunction(c, variable)
		}},
		{Name: "join", Params: 2, Call: join},
		{Name: "wrap", Params: 3, Call: wrap},
		{Name: "jsonParse", Params: 1, Call: jsonParse},
		{Name: "toNumber", Params: 1, Call: toNumberFunction},
		{Name: "base64encode", Params: 1, Call: base64Encode},
		{Name: "base64decode", Params: 1, Call: base64Decode},
		{Name: "uuid", Params: 0, Call: newUUID, Volatile: true},
		{Name: "diceCoefficient", Params: 2, Call: diceCoefficient},
		{Name: "mostSimilar", Params: 2, Call: mostSimilar},
		{Name: "getMimeType", Params: 1, Call: func(c *jsonata.Call) (jsonata.Value, error) {
			name, _ := c.Arg(0).(string)
			if found, ok := mime(name); ok {
				return found, nil
			}
			return jsonata.Null{}, nil
		}},
	}
}

// join joins the texts of a list. Without a separator it uses a comma, as JavaScript does and JSONata does not.
func join(c *jsonata.Call) (jsonata.Value, error) {
	separator := ","
	if c.Arg(1) != nil {
		var err error
		if separator, err = js.CallText(c, c.Arg(1)); err != nil {
			return nil, err
		}
	}
	items := js.List(c.Arg(0))
	if err := js.GrowText(c, len(separator)*len(items), items...); err != nil {
		return nil, err
	}
	return js.Join(items, separator), nil
}

// wrap puts text before and after a value. Without an end, or with an empty one, the beginning is repeated.
func wrap(c *jsonata.Call) (jsonata.Value, error) {
	end := c.Arg(2)
	if !js.IsTrue(end) {
		end = c.Arg(1)
	}
	parts := []jsonata.Value{c.Arg(1), c.Arg(0), end}
	if err := js.GrowText(c, 0, parts...); err != nil {
		return nil, err
	}
	return js.Join(parts, ""), nil
}

// jsonParse decodes JSON text; what is not JSON is null.
func jsonParse(c *jsonata.Call) (jsonata.Value, error) {
	text, err := js.CallText(c, c.Arg(0))
	if err != nil {
		return nil, err
	}
	if err := c.Grow(len(text)); err != nil {
		return nil, err
	}
	v, err := c.FromJSON([]byte(text))
	var limit *jsonata.Error
	switch {
	case errors.As(err, &limit):
		return nil, err
	case err != nil:
		return jsonata.Null{}, nil //nolint:nilerr // the function returns null for malformed JSON
	}
	return v, nil
}

func toNumberFunction(c *jsonata.Call) (jsonata.Value, error) {
	if err := js.GrowText(c, 0, c.Arg(0)); err != nil {
		return nil, err
	}
	return js.Number(c.Arg(0)), nil
}

func newUUID(*jsonata.Call) (jsonata.Value, error) {
	id, err := uuid.NewRandom()
	if err != nil {
		return nil, js.FailedError("$uuid: %v", err)
	}
	return id.String(), nil
}

// diceCoefficient says how similar two names are, from 0 to 1.
func diceCoefficient(c *jsonata.Call) (jsonata.Value, error) {
	if f, ok := c.Arg(0).(float64); js.Same(c.Arg(0), c.Arg(1)) && !(ok && math.IsNaN(f)) {
		return 1.0, nil
	}
	names, err := bigramsOf(c, "$diceCoefficient", c.Arg(0), c.Arg(1))
	if err != nil {
		return nil, err
	}
	return names[0].dice(names[1]), nil
}

// mostSimilar returns the candidate that is most similar to a name, or the name itself if none is similar enough.
func mostSimilar(c *jsonata.Call) (jsonata.Value, error) {
	threshold := 0.8
	if err := js.GrowText(c, 0, c.Arg(2)); err != nil {
		return nil, err
	}
	if c.Arg(2) != nil {
		threshold = js.Number(c.Arg(2))
	}
	name, err := bigramsOf(c, "$mostSimilar", c.Arg(0))
	if err != nil {
		return nil, err
	}
	candidates, err := js.CallEntries(c, c.Arg(1))
	if err != nil {
		return nil, err
	}
	best, similarity := jsonata.Value(""), 0.0
	for _, candidate := range candidates.All() {
		other, err := bigramsOf(c, "$mostSimilar", candidate)
		if err != nil {
			return nil, err
		}
		if s := name[0].dice(other[0]); s > similarity {
			best, similarity = candidate, s
		}
	}
	if similarity >= threshold {
		return best, nil
	}
	return c.Arg(0), nil
}

func bigramsOf(c *jsonata.Call, function string, names ...jsonata.Value) ([]bigrams, error) {
	out := make([]bigrams, len(names))
	for i, name := range names {
		text, ok := name.(string)
		if !ok {
			return nil, js.ArgumentError("%s: got %s, want text", function, js.TypeName(name))
		}
		if err := c.Step(1 + len(text)/16); err != nil {
			return nil, err
		}
		out[i] = newBigrams(normalizeName(text))
	}
	return out, nil
}
