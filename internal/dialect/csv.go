package dialect

import (
	"strings"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

// csvFunctions write tables.
func csvFunctions() []jsonata.Func {
	return js.Bounded(jsonata.Func{Name: "jsonToCsv", Params: 2, Call: jsonToCSV})
}

// csvColumn is a column of the table. Its path leads into nested objects, unless a row has a member of just that name.
type csvColumn struct {
	label    jsonata.Value
	path     string
	segments []string
	missing  jsonata.Value
}

// csvTable is one call of $jsonToCsv.
type csvTable struct {
	columns   []csvColumn
	delimiter string
	emptyRows bool
}

// jsonToCSV implements $jsonToCsv(rows, options). Text and headings are quoted, numbers are not, objects become JSON.
func jsonToCSV(c *jsonata.Call) (jsonata.Value, error) {
	var rows []jsonata.Value
	for _, row := range js.List(c.Arg(0)) {
		if js.IsTrue(row) {
			rows = append(rows, row)
		}
	}
	if len(rows) == 0 {
		return "", nil
	}
	options := c.Arg(1)
	table := csvTable{delimiter: ",", emptyRows: js.IsTrue(js.Field(options, "includeEmptyRows"))}
	if v := js.Field(options, "delimiter"); js.IsTrue(v) {
		table.delimiter = js.Text(v)
	}
	if isList(js.Field(options, "transforms")) {
		return nil, js.ArgumentError("$jsonToCsv: the option transforms is not available")
	}
	var err error
	if table.columns, err = csvColumns(c, rows, options); err != nil {
		return nil, err
	}
	return table.write(c, rows, options)
}

// write joins the heading and the rows.
func (t csvTable) write(c *jsonata.Call, rows []jsonata.Value, options jsonata.Value) (jsonata.Value, error) {
	var lines []string
	if js.Field(options, "header") != false {
		heading, err := t.heading(c)
		if err != nil {
			return nil, err
		}
		if heading != "" {
			lines = append(lines, heading)
		}
	}
	for _, row := range rows {
		line, err := t.row(c, row)
		if err != nil {
			return nil, err
		}
		if line != "" {
			lines = append(lines, line)
		}
		if err := c.Grow(len(line)); err != nil {
			return nil, err
		}
	}
	eol, mark := "\n", ""
	if v := js.Field(options, "eol"); js.IsTrue(v) {
		eol = js.Text(v)
	}
	if js.IsTrue(js.Field(options, "withBOM")) {
		mark = "\ufeff"
	}
	return mark + strings.Join(lines, eol), nil
}

func (t csvTable) heading(c *jsonata.Call) (string, error) {
	cells := make([]string, len(t.columns))
	for i, column := range t.columns {
		if err := c.Step(1); err != nil {
			return "", err
		}
		label, ok := column.label.(string)
		if !ok {
			return "", js.ArgumentError("value.includes is not a function")
		}
		cells[i] = csvQuote(label)
	}
	return strings.Join(cells, t.delimiter), nil
}

// row is empty for a row without any value, which is left out of the table.
func (t csvTable) row(c *jsonata.Call, row jsonata.Value) (string, error) {
	empty := !t.emptyRows
	cells := make([]string, len(t.columns))
	for i, column := range t.columns {
		if err := c.Step(1); err != nil {
			return "", err
		}
		v, err := column.value(row)
		if err != nil {
			return "", err
		}
		if cells[i], err = csvCell(v); err != nil {
			return "", err
		}
		empty = empty && cells[i] == ""
	}
	if empty {
		return "", nil
	}
	return strings.Join(cells, t.delimiter), nil
}

// csvColumns are the columns asked for, or all members that any of the rows has.
func csvColumns(c *jsonata.Call, rows []jsonata.Value, options jsonata.Value) ([]csvColumn, error) {
	missing := js.Field(options, "defaultValue")
	if asked := js.Field(options, "fields"); js.IsTrue(asked) {
		list, ok := asked.(*jsonata.Array)
		if !ok {
			return nil, js.ArgumentError("fields.map is not a function")
		}
		columns := make([]csvColumn, 0, list.Len())
		for _, item := range list.Items() {
			if err := c.Step(1); err != nil {
				return nil, err
			}
			column, err := csvColumnOf(item, missing)
			if err != nil {
				return nil, err
			}
			columns = append(columns, column)
		}
		return columns, nil
	}
	if !js.IsComposite(rows[0]) {
		return nil, js.ArgumentError(`Data items should be objects or the "fields" option should be included`)
	}
	names := jsonata.NewObject(8)
	var columns []csvColumn
	for _, row := range rows {
		members, err := js.CallEntries(c, row)
		if err != nil {
			return nil, err
		}
		for name := range members.All() {
			if err := c.Step(1); err != nil {
				return nil, err
			}
			if _, known := names.Get(name); !known {
				names.Set(name, true)
				columns = append(columns, newCSVColumn(name, name, missing))
			}
		}
	}
	return columns, nil
}

func newCSVColumn(label jsonata.Value, path string, missing jsonata.Value) csvColumn {
	return csvColumn{label: label, path: path, segments: csvPath(path), missing: missing}
}

// csvColumnOf reads one of the option fields: a path, or an object with a label, a path and a default.
func csvColumnOf(v, missing jsonata.Value) (csvColumn, error) {
	switch v := v.(type) {
	case string:
		return newCSVColumn(v, v, missing), nil
	case *jsonata.Object:
		path, ok := js.Get(v, "value").(string)
		if !ok {
			break
		}
		if own, has := v.Get("default"); has {
			missing = own
		}
		label := js.Get(v, "label")
		if !js.IsTrue(label) {
			label = path
		}
		return newCSVColumn(label, path, missing), nil
	}
	shown, err := jsonata.ToJSON(v)
	if err != nil {
		shown = []byte("undefined")
	}
	return csvColumn{}, js.ArgumentError("Invalid field info option. %s", shown)
}

// value finds the column's value in a row.
func (column csvColumn) value(row jsonata.Value) (jsonata.Value, error) {
	if !js.IsComposite(row) {
		return nil, js.ArgumentError("Cannot use 'in' operator to search for '%s' in %s", column.path, js.Text(row))
	}
	v, found := js.Property(row, column.path)
	if !found {
		v = row
		for _, segment := range column.segments {
			if v, _ = js.Property(v, segment); v == nil {
				break
			}
		}
	}
	if v == nil {
		return column.missing, nil
	}
	return v, nil
}

// csvPath splits a path at dots and brackets; what is quoted in brackets is one name.
func csvPath(path string) []string {
	var segments []string
	for path != "" {
		if end := strings.IndexAny(path, ".[]"); end != 0 {
			if end < 0 {
				end = len(path)
			}
			segments, path = append(segments, path[:end]), path[end:]
			continue
		}
		if path[0] != '[' {
			path = path[1:]
			continue
		}
		segment, rest, ok := csvBracket(path[1:])
		if ok {
			segments = append(segments, segment)
		}
		path = rest
	}
	return segments
}

// csvBracket reads what is inside brackets. It returns what follows them.
func csvBracket(text string) (string, string, bool) {
	if text == "" {
		return "", "", false
	}
	if quote := text[0]; quote == '"' || quote == '\'' {
		for i := 1; i < len(text); i++ {
			switch {
			case text[i] == '\\':
				i++
			case text[i] == quote && strings.HasPrefix(text[i+1:], "]"):
				return text[1:i], text[i+2:], true
			case text[i] == quote:
				return "", text, false
			}
		}
		return "", text, false
	}
	inside, _, _ := strings.Cut(text, "[")
	end := strings.LastIndexByte(inside, ']')
	if end < 1 {
		return "", text, false
	}
	return js.TrimSpace(text[:end]), text[end+1:], true
}

// csvCell writes a value.
func csvCell(v jsonata.Value) (string, error) {
	switch v := v.(type) {
	case nil, jsonata.Null, *jsonata.Function:
		return "", nil
	case string:
		return csvQuote(v), nil
	case bool, float64:
		return js.Text(v), nil
	}
	data, err := jsonata.ToJSON(v)
	if err != nil {
		return "", js.FailedError("$jsonToCsv: %v", err)
	}
	text := string(data)
	switch {
	case text == "null":
		if _, host := v.(jsonata.Host); !host {
			return "", nil
		}
	case len(text) > 2 && text[0] == '"': // a host object that is shown as text
		text = text[1 : len(text)-1]
	}
	return csvQuote(text), nil
}

func csvQuote(text string) string { return `"` + strings.ReplaceAll(text, `"`, `""`) + `"` }
