package trial

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/millracetest/provider"
)

// visit is a batch whose records are visited one by one.
type visit struct {
	node    *node
	records provider.Page
}

// batchAndBelow hands on a batch that n puts out, and then visits its records.
func (m *model) batchAndBelow(n *node, records provider.Page, s sight, depth int) error {
	visits, err := m.batch(n, records)
	if err != nil {
		return err
	}
	return m.visitAll(visits, s, depth)
}

// batch sends a batch and hands it to the transforms and spools below, which see it as a whole.
func (m *model) batch(n *node, records provider.Page) ([]visit, error) {
	for _, d := range n.sinks {
		if d.several && len(records) < 2 {
			continue
		}
		m.send(d, n, records)
	}
	visits, err := m.hand(n, records)
	return append(visits, visit{n, records}), err
}

// hand hands a batch to the transforms and spools below a node.
func (m *model) hand(n *node, records provider.Page) ([]visit, error) {
	var visits []visit
	for _, c := range n.below {
		if c.when == whenSeveral && len(records) < 2 {
			continue
		}
		switch c.kind {
		case kindSpool:
			m.spools[c] = append(slices.Clip(m.spools[c]), records...)
		case kindTransform:
			out, code := shaped(c.shape, records)
			if code != "" {
				if err := m.fail(resourceOf(origin(c)), code); err != nil {
					return nil, err
				}
				continue
			}
			if len(out) == 0 {
				continue
			}
			more, err := m.batch(c, out)
			if err != nil {
				return nil, err
			}
			visits = append(visits, more...)
		}
	}
	return visits, nil
}

func (m *model) send(d *sink, n *node, records provider.Page) {
	s := sent{Event: millrace.EventRunRecord, Other: d.other, Resource: resourceOf(origin(n)), Node: n.name}
	for _, r := range records {
		s.Records = append(s.Records, r)
	}
	m.count(s.Resource).Persisted += len(records)
	m.sent = append(m.sent, s)
}

// origin returns the request that a node's records come from.
func origin(n *node) *node {
	for n.kind != kindRequest {
		n = n.up
	}
	return n
}

func (m *model) visitAll(visits []visit, s sight, depth int) error {
	for _, v := range visits {
		for _, r := range v.records {
			if err := m.visit(v.node, r, s, depth); err != nil {
				return err
			}
		}
	}
	return nil
}

// visit does what there is to do for one record of n: what add_context nodes add is visible to everything else below n.
func (m *model) visit(n *node, record map[string]any, s sight, depth int) error {
	places := []*node{n}
	for i := 0; i < len(places); i++ {
		for _, c := range places[i].below {
			if c.kind == kindAddContext && holds(c, record) {
				s = s.with(c.name, "c"+textOf(record["id"]))
				places = append(places, c)
			}
		}
	}
	var visits []visit
	for _, place := range places[1:] {
		more, err := m.hand(place, provider.Page{record})
		if err != nil {
			return err
		}
		visits = append(visits, more...)
	}
	if err := m.visitAll(visits, s, depth); err != nil {
		return err
	}
	for _, place := range places {
		if err := m.requests(place.below, record, s); err != nil {
			return err
		}
	}
	if more, _ := record["more"].(bool); n.kind == kindRequest && n.recurses && more {
		return m.list(n, textOf(record["id"]), s, depth+1)
	}
	return nil
}

// holds says whether a node's condition holds for a record.
func holds(n *node, record map[string]any) bool {
	return n.when != whenEven || int(record["n"].(float64))%2 == 0
}

// shaped is what a transform makes of a batch, or the code of the error that it is.
func shaped(shape string, records provider.Page) (provider.Page, string) {
	var out provider.Page
	for _, r := range records {
		made := map[string]any{"id": r["id"], "n": r["n"]}
		switch shape {
		case shapeEven:
			if made = r; int(r["n"].(float64))%2 != 0 {
				continue
			}
		case shapeStrict:
			switch v := r["v"].(type) {
			case float64:
				made["v"] = v
			case string:
				f, err := strconv.ParseFloat(v, 64)
				if err != nil {
					return nil, "D3030"
				}
				made["v"] = f
			}
		case shapeSum:
			n := len(records)
			return provider.Page{{"id": fmt.Sprintf("s%d", n), "n": float64(n)}}, ""
		}
		out = append(out, made)
	}
	return out, ""
}

func textOf(v any) string { return fmt.Sprint(v) }
