package rest

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace/internal/document"
)

// selected leaves of the rows of a list the columns that were asked for: select=id,integration.name.
func selected(ctx huma.Context, status string, body any) (any, error) {
	r := requestOf(ctx.Context())
	if r == nil || len(r.columns) == 0 || !strings.HasPrefix(status, "2") {
		return body, nil
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encode list: %w", err)
	}
	page, err := document.ParseJSON(raw)
	if err != nil {
		return nil, fmt.Errorf("read list: %w", err)
	}
	if rows := page.Get("result"); rows != nil {
		for i, row := range rows.Items {
			rows.Items[i] = columnsOf(row, r.columns)
		}
	}
	return page.JSON(), nil
}

// columnsOf returns a row with some of its columns, which may be members of members.
func columnsOf(row *document.Value, columns []string) *document.Value {
	out := &document.Value{Kind: document.KindObject}
	for _, column := range columns {
		path := strings.Split(column, ".")
		v := row
		for _, name := range path {
			if v = v.Get(name); v == nil {
				break
			}
		}
		if v != nil {
			setAt(out, row, path, v)
		}
	}
	return out
}

// setAt sets what a row has at a path, unless the whole of what is above it is there already.
func setAt(out, row *document.Value, path []string, v *document.Value) {
	name := path[0]
	there, of := out.Get(name), row.Get(name)
	switch {
	case there == of:
	case len(path) == 1:
		out.Set(name, v)
	default:
		if there == nil {
			there = &document.Value{Kind: document.KindObject}
			out.Set(name, there)
		}
		setAt(there, of, path[1:], v)
	}
}
