package picture

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
	"unicode/utf8"
)

// Node is a node of a graph. The nodes that it comes after are named.
type Node struct {
	Name  string
	After []string
	Note  string // a second line
	Class string // ok, failed, partial; empty: nothing is known
}

// Sizes of a graph, in user units.
const (
	nodeWidth  = 180
	nodeHeight = 44
	gapX       = 60
	gapY       = 18
	maxNodes   = 200
	maxLabel   = 24
)

// Graph draws nodes in layers from left to right, each behind all that it comes after. A node that comes after itself, over others or not,
// is drawn in the layer of the first round.
func Graph(nodes []Node) template.HTML {
	more := 0
	if len(nodes) > maxNodes {
		more = len(nodes) - maxNodes
		nodes = nodes[:maxNodes]
	}
	index := map[string]int{}
	for i, n := range nodes {
		index[n.Name] = i
	}
	layer := layers(nodes, index)
	rows := map[int]int{}
	x, y := make([]int, len(nodes)), make([]int, len(nodes))
	width, height := 0, 0
	for i := range nodes {
		x[i], y[i] = layer[i]*(nodeWidth+gapX)+1, rows[layer[i]]*(nodeHeight+gapY)+1
		rows[layer[i]]++
		width, height = max(width, x[i]+nodeWidth+1), max(height, y[i]+nodeHeight+1)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="graph" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`, width, height, width, height, template.HTMLEscapeString(describe(nodes)))
	for i, n := range nodes {
		for _, before := range n.After {
			j, ok := index[before]
			if !ok || j == i {
				continue
			}
			x1, y1, x2, y2 := x[j]+nodeWidth, y[j]+nodeHeight/2, x[i], y[i]+nodeHeight/2
			middle := (x1 + x2) / 2
			fmt.Fprintf(&b, `<path class="edge" d="M%d %dC%d %d %d %d %d %d"/>`, x1, y1, middle, y1, middle, y2, x2, y2)
		}
	}
	for i, n := range nodes {
		fmt.Fprintf(&b, `<g class="node %s"><title>%s</title><rect x="%d" y="%d" width="%d" height="%d" rx="6"/><text x="%d" y="%d">%s</text><text class="note" x="%d" y="%d">%s</text></g>`,
			template.HTMLEscapeString(n.Class), template.HTMLEscapeString(n.Name+" "+n.Note), x[i], y[i], nodeWidth, nodeHeight,
			x[i]+10, y[i]+18, label(n.Name), x[i]+10, y[i]+35, label(n.Note))
	}
	b.WriteString(`</svg>`)
	if more > 0 {
		fmt.Fprintf(&b, `<p class="note">%d more are not drawn.</p>`, more)
	}
	return template.HTML(b.String()) //nolint:gosec // texts are escaped, the rest are numbers
}

// layers returns how many nodes are on the longest way to each.
func layers(nodes []Node, index map[string]int) []int {
	layer := make([]int, len(nodes))
	for range nodes { // at most so often, also when they go round
		changed := false
		for i, n := range nodes {
			for _, before := range n.After {
				if j, ok := index[before]; ok && j < i && layer[i] <= layer[j] {
					layer[i], changed = layer[j]+1, true
				}
			}
		}
		if !changed {
			break
		}
	}
	return layer
}

func describe(nodes []Node) string {
	const shown = 20
	var parts []string
	for _, n := range nodes[:min(len(nodes), shown)] {
		text := n.Name
		if len(n.After) > 0 {
			text += " after " + strings.Join(n.After, " and ")
		}
		parts = append(parts, text)
	}
	return "Graph: " + strings.Join(slices.Clip(parts), "; ")
}

// label cuts a text to what fits.
func label(text string) string {
	if utf8.RuneCountInString(text) > maxLabel {
		runes := []rune(text)
		text = string(runes[:maxLabel-1]) + "…"
	}
	return template.HTMLEscapeString(text)
}
