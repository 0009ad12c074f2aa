package main

// Change is one place where two texts differ. The line numbers count from 1.
type Change struct {
	OldLine uint32
	Removed []string
	NewLine uint32
	Added   []string
}

// Diff compares two texts line by line and gives the fewest removals and additions that make the
// new one of the old one, joined into one change where they meet. It is the algorithm of Myers
// ("An O(ND) Difference Algorithm and Its Variations", 1986) in the form that needs memory only for
// one row of its table.
func Diff(oldText, newText string) []Change {
	oldLines := splitLines(oldText)
	newLines := splitLines(newText)
	removed := make([]bool, len(oldLines))
	added := make([]bool, len(newLines))
	oldKept, newKept := markUnshared(oldLines, newLines, removed, added)
	newMarker(oldKept, newKept, removed, added).mark(0, len(oldKept), 0, len(newKept))
	return joinMarks(oldLines, newLines, removed, added)
}

// sharedLine is a line that is in both texts: a number that is the same for the same text, and the
// place in its own text.
type sharedLine struct {
	identity int
	index    int
}

// markUnshared marks the lines that are in one of the texts only, and returns the others. They can
// be part of no match, and without them the comparison of two quite different texts is fast.
func markUnshared(oldLines, newLines []string, removed, added []bool) (oldKept, newKept []sharedLine) {
	identities := map[string]int{}
	for _, line := range oldLines {
		if _, found := identities[line]; !found {
			identities[line] = len(identities)
		}
	}
	isInNew := make([]bool, len(identities))
	for index, line := range newLines {
		identity, found := identities[line]
		if !found {
			added[index] = true
			continue
		}
		isInNew[identity] = true
		newKept = append(newKept, sharedLine{identity, index})
	}
	for index, line := range oldLines {
		identity := identities[line]
		if !isInNew[identity] {
			removed[index] = true
			continue
		}
		oldKept = append(oldKept, sharedLine{identity, index})
	}
	return oldKept, newKept
}

// marker marks the lines that no longest common subsequence needs.
type marker struct {
	old, new       []sharedLine
	removed, added []bool
	// How far the furthest path on a diagonal has come, from the start and from the end. A diagonal
	// is the difference of the places in the two texts, moved by shift so that it is an index.
	forward, backward []int
	shift             int
}

func newMarker(oldKept, newKept []sharedLine, removed, added []bool) *marker {
	shift := len(newKept) + 1
	size := len(oldKept) + len(newKept) + 3
	return &marker{
		old: oldKept, new: newKept, removed: removed, added: added,
		forward: make([]int, size), backward: make([]int, size), shift: shift,
	}
}

// mark compares the old lines from oldLow to oldHigh with the new ones from newLow to newHigh.
func (m *marker) mark(oldLow, oldHigh, newLow, newHigh int) {
	for oldLow < oldHigh && newLow < newHigh && m.same(oldLow, newLow) {
		oldLow++
		newLow++
	}
	for oldLow < oldHigh && newLow < newHigh && m.same(oldHigh-1, newHigh-1) {
		oldHigh--
		newHigh--
	}
	switch {
	case oldLow == oldHigh:
		for _, line := range m.new[newLow:newHigh] {
			m.added[line.index] = true
		}
	case newLow == newHigh:
		for _, line := range m.old[oldLow:oldHigh] {
			m.removed[line.index] = true
		}
	default:
		oldMiddle, newMiddle := m.middle(oldLow, oldHigh, newLow, newHigh)
		m.mark(oldLow, oldMiddle, newLow, newMiddle)
		m.mark(oldMiddle, oldHigh, newMiddle, newHigh)
	}
}

func (m *marker) same(oldIndex, newIndex int) bool {
	return m.old[oldIndex].identity == m.new[newIndex].identity
}

// middle finds a place in the middle of a shortest path through the two ranges, by walking from
// both ends at once until the walks meet. Neither range is empty, and they differ at both ends, so
// the place is never a corner that both halves would start from again.
func (m *marker) middle(oldLow, oldHigh, newLow, newHigh int) (oldMiddle, newMiddle int) {
	lowDiagonal, highDiagonal := oldLow-newHigh, oldHigh-newLow
	startDiagonal, endDiagonal := oldLow-newLow, oldHigh-newHigh
	isOdd := (startDiagonal-endDiagonal)%2 != 0
	m.forward[m.shift+startDiagonal] = oldLow
	m.backward[m.shift+endDiagonal] = oldHigh
	for steps := 1; ; steps++ {
		first, last := diagonals(startDiagonal, steps, lowDiagonal, highDiagonal)
		for diagonal := first; diagonal <= last; diagonal += 2 {
			at := m.shift + diagonal
			// From the diagonal above by a removal, or from the one below by an addition.
			place := -1
			if diagonal > startDiagonal-steps && diagonal-1 >= lowDiagonal {
				place = m.forward[at-1] + 1
			}
			if diagonal < startDiagonal+steps && diagonal+1 <= highDiagonal {
				place = max(place, m.forward[at+1])
			}
			for place < oldHigh && place-diagonal < newHigh && m.same(place, place-diagonal) {
				place++
			}
			m.forward[at] = place
			isReached := diagonal >= endDiagonal-(steps-1) && diagonal <= endDiagonal+(steps-1)
			if isOdd && isReached && place >= m.backward[at] {
				return place, place - diagonal
			}
		}
		first, last = diagonals(endDiagonal, steps, lowDiagonal, highDiagonal)
		for diagonal := first; diagonal <= last; diagonal += 2 {
			at := m.shift + diagonal
			place := oldHigh + 1
			if diagonal < endDiagonal+steps && diagonal+1 <= highDiagonal {
				place = m.backward[at+1] - 1
			}
			if diagonal > endDiagonal-steps && diagonal-1 >= lowDiagonal {
				place = min(place, m.backward[at-1])
			}
			for place > oldLow && place-diagonal > newLow && m.same(place-1, place-diagonal-1) {
				place--
			}
			m.backward[at] = place
			isReached := diagonal >= startDiagonal-steps && diagonal <= startDiagonal+steps
			if !isOdd && isReached && place <= m.forward[at] {
				return place, place - diagonal
			}
		}
	}
}

// diagonals gives the first and the last diagonal that a walk reaches in so many steps without
// leaving the ranges. It reaches every other one in between.
func diagonals(start, steps, low, high int) (first, last int) {
	first, last = start-steps, start+steps
	if first < low {
		first = low + (low-first)%2
	}
	if last > high {
		last = high - (last-high)%2
	}
	return first, last
}

func joinMarks(oldLines, newLines []string, removed, added []bool) []Change {
	var changes []Change
	oldIndex, newIndex := 0, 0
	for oldIndex < len(oldLines) || newIndex < len(newLines) {
		change := Change{OldLine: uint32(oldIndex + 1), NewLine: uint32(newIndex + 1)}
		for oldIndex < len(oldLines) && removed[oldIndex] {
			change.Removed = append(change.Removed, oldLines[oldIndex])
			oldIndex++
		}
		for newIndex < len(newLines) && added[newIndex] {
			change.Added = append(change.Added, newLines[newIndex])
			newIndex++
		}
		if change.Removed != nil || change.Added != nil {
			changes = append(changes, change)
		} else {
			oldIndex++
			newIndex++
		}
	}
	return changes
}
