package grant

// OnStep has fn called with the name of each line on which a process may die: claimed, sent, kept, taking, taken.
func (k *Keeper) OnStep(fn func(line string)) { k.step = fn }
