package dialect

import (
	"strings"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/internal/dialect/luxon"
	"github.com/millrace/millrace/jsonata"
)

// sqlFunctions write conditions for query languages that look like SQL.
func sqlFunctions() []jsonata.Func {
	s := &sqlWriter{lux: &luxon.Dates{}}
	return js.Bounded(jsonata.Func{Name: "convertQueryToSql", Params: 1, Call: s.convert})
}

// sqlWriter keeps what calls share.
type sqlWriter struct{ lux *luxon.Dates }

// sqlQuery is one call of $convertQueryToSql(query, keys, mapping, types, operators, options).
type sqlQuery struct {
	call                               *jsonata.Call
	lux                                *luxon.Dates
	query                              *jsonata.Object
	mapping, types, operators, options jsonata.Value
	statements                         []string
}

// convert turns an object of conditions into text. Values are written unquoted unless a type says otherwise: the result is for
// query languages of providers, where quoting differs, and never for a database of this server.
func (s *sqlWriter) convert(c *jsonata.Call) (jsonata.Value, error) {
	for i := range 6 {
		if _, null := c.Arg(i).(jsonata.Null); null || i == 0 && c.Arg(i) == nil {
			return nil, js.ArgumentError("Cannot convert undefined or null to object")
		}
	}
	query, err := js.CallEntries(c, c.Arg(0))
	if err != nil {
		return nil, err
	}
	only, err := js.CallEntries(c, c.Arg(1))
	if err != nil {
		return nil, err
	}
	q := sqlQuery{
		call: c, lux: s.lux, query: query, mapping: c.Arg(2), types: c.Arg(3), operators: c.Arg(4), options: c.Arg(5),
	}
	keys := q.query.Keys()
	if only.Len() > 0 && js.TypeOf(c.Arg(1)) != "object" || isList(c.Arg(1)) {
		keys = keys[:0:0]
		for _, v := range only.All() {
			keys = append(keys, js.Text(v))
		}
	}
	for _, key := range keys {
		if err := q.conditions(key); err != nil {
			return nil, err
		}
	}
	return q.join(), nil
}

// isList reports whether v is an array with items.
func isList(v jsonata.Value) bool {
	a, ok := v.(*jsonata.Array)
	return ok && a.Len() > 0
}

// join connects the statements, with a pair of brackets around every two if asked for.
func (q *sqlQuery) join() string {
	conjunction := " AND "
	if v := js.Field(q.options, "conjunction"); js.IsTrue(v) {
		conjunction = " " + js.Text(v) + " "
	}
	if !q.option("groupComparisonInBrackets") || len(q.statements) == 0 {
		return strings.Join(q.statements, conjunction)
	}
	var b strings.Builder
	b.WriteString(strings.Repeat("(", len(q.statements)-1) + q.statements[0])
	for _, statement := range q.statements[1:] {
		b.WriteString(conjunction + statement + ")")
	}
	return b.String()
}

func (q *sqlQuery) option(name string) bool { return js.IsTrue(js.Field(q.options, name)) }

// conditions adds the statements of one key of the query.
func (q *sqlQuery) conditions(key string) error {
	if key == "or" { // the reference implementation has never supported it, and a query without it would find too much
		return js.ArgumentError("Cannot read properties of undefined (reading 'or')")
	}
	comparison := js.Get(q.query, key)
	switch v := comparison.(type) {
	case jsonata.Null:
		return js.ArgumentError("Cannot convert undefined or null to object")
	case *jsonata.Array:
		return q.list(key, "in", v)
	case *jsonata.Object:
		for operator, value := range v.All() {
			if err := q.condition(key, operator, value); err != nil {
				return err
			}
		}
		return nil
	}
	return q.condition(key, "eq", comparison)
}

// condition adds the statement of one operator.
func (q *sqlQuery) condition(key, operator string, value jsonata.Value) error {
	if operator == "in" || operator == "nin" {
		return q.list(key, operator, value)
	}
	symbol := q.symbol(operator)
	if symbol == "" {
		return js.ArgumentError("Unknown operator: %s", operator)
	}
	written, err := q.write(key, value)
	if err != nil || js.IsNullish(written) {
		return err
	}
	return q.add(q.compare(key, symbol, js.Text(written)))
}

// list adds the statement of in or not in, or the same as comparisons for equality.
func (q *sqlQuery) list(key, operator string, value jsonata.Value) error {
	separate := q.option("useOrForIn")
	if text, ok := value.(string); ok && separate {
		characters, err := js.CallCharacters(q.call, text)
		if err != nil {
			return err
		}
		value = jsonata.NewArray(characters...)
	}
	items, ok := value.(*jsonata.Array)
	if !ok {
		return js.ArgumentError("value.map is not a function")
	}
	texts := make([]string, 0, items.Len())
	for _, item := range items.Items() {
		written, err := q.write(key, item)
		switch {
		case err != nil:
			return err
		case js.IsNullish(written) && separate:
		case js.IsNullish(written):
			texts = append(texts, "")
		case separate:
			texts = append(texts, q.compare(key, q.symbol("eq"), js.Text(written)))
		default:
			texts = append(texts, js.Text(written))
		}
		if len(texts) > 0 { // a key may be long and is repeated
			if err := q.call.Grow(len(texts[len(texts)-1])); err != nil {
				return err
			}
		}
	}
	if separate {
		return q.add("(" + strings.Join(texts, " OR ") + ")")
	}
	return q.add(q.compare(key, q.symbol(operator), "("+strings.Join(texts, ",")+")"))
}

// add appends a statement and charges for it, since a key may be much longer in the mapping than in the query.
func (q *sqlQuery) add(statement string) error {
	q.statements = append(q.statements, statement)
	if err := q.call.Step(1); err != nil {
		return err
	}
	return q.call.Grow(2 * len(statement))
}

func (q *sqlQuery) compare(key, symbol, value string) string {
	space := " "
	if q.option("noSpaceBetweenOperator") {
		space = ""
	}
	if v := js.Field(q.mapping, key); js.IsTrue(v) {
		key = js.Text(v)
	}
	return key + space + symbol + space + value
}

// symbol is how an operator is written.
func (q *sqlQuery) symbol(operator string) string {
	if v := js.Field(q.operators, operator); js.IsTrue(v) {
		return js.Text(v)
	}
	return map[string]string{
		"eq": "=", "ne": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "in": "in", "nin": "not in", "like": "like",
	}[operator]
}

// write converts a value to the type of its key.
func (q *sqlQuery) write(key string, value jsonata.Value) (jsonata.Value, error) {
	if js.IsNullish(value) {
		return value, nil
	}
	kind := js.Field(q.types, key)
	switch kind := kind.(type) {
	case *jsonata.Object, *jsonata.Array, jsonata.Null:
		inner := *q.call
		inner.Args = []jsonata.Value{value, kind}
		mapped, err := mapValues(&inner)
		if s, ok := mapped.(string); ok {
			return q.quote(s), err
		}
		return mapped, err
	case string:
		return q.typed(kind, value)
	}
	if js.IsTrue(kind) {
		return nil, js.ArgumentError("dataTypeKey.startsWith is not a function")
	}
	return value, nil
}

func (q *sqlQuery) typed(kind string, value jsonata.Value) (jsonata.Value, error) {
	switch {
	case kind == "string" && !q.option("noQuotes"):
		return q.quoteText(value)
	case kind == "dotnetdate":
		return "DateTime(" + js.Text(q.lux.Reformat(q.call, js.Text(value), "yyyy,MM,dd")) + ")", nil
	case strings.HasPrefix(kind, "date"):
		_, format, _ := strings.Cut(kind, "|")
		format, _, _ = strings.Cut(format, "|")
		date := q.lux.Reformat(q.call, js.Text(value), format)
		if q.option("noQuotes") || q.option("noQuotesForDate") {
			return date, nil
		}
		return q.quote(js.Text(date)), nil
	}
	return value, nil
}

// quoteText is quote with an escape for single quotes, which the option useDoubleQuotes turns off.
func (q *sqlQuery) quoteText(value jsonata.Value) (jsonata.Value, error) {
	if q.option("escapeSingleQuotes") && !q.option("useDoubleQuotes") {
		s, ok := value.(string)
		if !ok {
			return nil, js.ArgumentError("value.replace is not a function")
		}
		value = strings.ReplaceAll(s, "'", `\'`)
	}
	return q.quote(js.Text(value)), nil
}

func (q *sqlQuery) quote(text string) string {
	switch {
	case q.option("noQuotes"):
		return text
	case q.option("useDoubleQuotes"):
		return `"` + text + `"`
	}
	return "'" + text + "'"
}
