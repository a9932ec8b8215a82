package syntax

import (
	"slices"
	"strconv"
)

// A parent operator % means the item that some earlier step was evaluated on.
// That step is found while the tree is processed: an unresolved slot travels up
// from the operator (adoptParents) until a path has a step it can be attached to
// (resolve, seek).

func (pr *processor) newSlot() *Slot {
	s := &Slot{Label: "!" + strconv.Itoa(pr.labels), level: 1}
	pr.labels++
	return s
}

// search counts n steps of the search.
func (pr *processor) search(n int, pos int) error {
	if pr.searched += n; pr.searched > maxSearch {
		return tooLarge(maxSearch, "steps to the parents that % means", pos)
	}
	return nil
}

// adoptParents makes the unresolved slots of a part those of the whole.
func (pr *processor) adoptParents(n, part *Node) error {
	const perSlot = 8 // it is memory, too
	n.seeking = append(n.seeking, part.seeking...)
	if part.Kind == Parent {
		n.seeking = append(n.seeking, part.Slot)
	}
	return pr.search(perSlot*len(part.seeking), part.Pos)
}

// resolve attaches the slots of the last step of a path to earlier steps. Those
// that lead out of the path remain with the path.
func (pr *processor) resolve(path *Node) error {
	last := path.lastStep()
	slots := last.seeking
	if last.Kind == Parent {
		slots = append(slots, last.Slot)
	}
	for _, slot := range slots {
		for i := len(path.List) - 2; slot.level > 0; {
			if i < 0 {
				path.seeking = append(path.seeking, slot)
				break
			}
			step := path.List[i]
			i--
			if err := pr.search(1, last.Pos); err != nil {
				return err
			}
			// Of several steps in a row that bind their item, only the first one moves.
			for i >= 0 && step.Focus != "" && path.List[i].Focus != "" {
				step = path.List[i]
				i--
			}
			if err := pr.seek(step, slot); err != nil {
				return err
			}
		}
	}
	return nil
}

// seek goes one step towards the item the slot means. At its end the step binds
// its own item for the slot.
func (pr *processor) seek(n *Node, slot *Slot) error {
	if err := pr.search(1, n.Pos); err != nil {
		return err
	}
	switch n.Kind { //nolint:exhaustive // the default is for all other kinds
	case Name, Wildcard:
		slot.level--
		if slot.level == 0 {
			if n.Ancestor != nil {
				slot.Label = n.Ancestor.Label
			}
			n.Ancestor, n.Tuple = slot, true
		}
	case Parent:
		slot.level++
	case Block:
		if len(n.List) > 0 {
			n.Tuple = true
			return pr.seek(n.List[len(n.List)-1], slot)
		}
	case Path:
		n.Tuple = true
		for _, step := range slices.Backward(n.List) {
			if err := pr.seek(step, slot); err != nil {
				return err
			}
			if slot.level <= 0 {
				break
			}
		}
	default:
		return &Error{Code: "S0217", Pos: n.Pos, Token: n.Text}
	}
	return nil
}
