package jsonata

import "github.com/millrace/millrace/jsonata/internal/picture"

func timeFuncs() []builtin {
	return []builtin{
		{"now", "<s?s?:s>", 2, func(c *Call) (Value, error) {
			return c.formatTime(c.millis(), c.Arg(0), c.Arg(1))
		}},
		{"millis", "<:n>", 0, func(c *Call) (Value, error) { return c.millis(), nil }},
		{"fromMillis", "<n-s?s?:s>", 3, defined(func(c *Call) (Value, error) {
			return c.formatTime(c.Arg(0).(float64), c.Arg(1), c.Arg(2))
		})},
		{"toMillis", "<s-s?:n>", 2, defined(fnToMillis)},
	}
}

func (c *Call) millis() float64 { return float64(c.Now().UnixMilli()) }

func (c *Call) formatTime(millis float64, pattern, zone Value) (Value, error) {
	p := optionalText(pattern)
	work := 1
	if p != nil {
		work = len(*p)
	}
	return fromPicture(c, work)(picture.FromMillis(millis, p, optionalText(zone)))
}

func fnToMillis(c *Call) (Value, error) {
	s, pattern := c.Arg(0).(string), optionalText(c.Arg(1))
	work := len(s)
	if pattern != nil {
		work += len(*pattern)
	}
	if err := c.Step(work/16 + 1); err != nil {
		return nil, err
	}
	n, ok, err := picture.ToMillis(s, pattern, c.millis())
	if err != nil {
		return nil, pictureError(err)
	}
	if !ok {
		return nil, nil
	}
	return n, nil
}

func optionalText(v Value) *string {
	if s, ok := v.(string); ok {
		return &s
	}
	return nil
}
