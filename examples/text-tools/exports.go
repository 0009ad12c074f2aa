//go:build wasip1

// The functions of wit/world.wit. Each takes its arguments apart as the canonical ABI flattens
// them, and returns the address of its result; the function with the prefix cabi_post is called
// when the host has read that.
package main

//go:wasmexport count
func exportCount(textAddress, textLength uint32) uint32 {
	// Counts is all 32-bit words in the order of the WIT record, so it goes out as it is.
	return give(Count(takeString(textAddress, textLength)))
}

//go:wasmexport cabi_post_count
func afterCount(uint32) { release() }

//go:wasmexport slug
func exportSlug(textAddress, textLength uint32) uint32 {
	return give(giveString(Slug(takeString(textAddress, textLength))))
}

//go:wasmexport cabi_post_slug
func afterSlug(uint32) { release() }

// abiMatches is result<list<match>, string>: both cases are a span.
type abiMatches struct {
	isError uint32
	value   abiSpan
}

type abiMatch struct {
	text                 abiSpan
	line, column, offset uint32
	groups               abiSpan
}

type abiGroup struct {
	name, text abiOption
}

//go:wasmexport find
func exportFind(textAddress, textLength, patternAddress, patternLength, options uint32) uint32 {
	text := takeString(textAddress, textLength)
	pattern := takeString(patternAddress, patternLength)
	matches, err := Find(text, pattern, FindOptions(options))
	if err != nil {
		return give(abiMatches{1, giveString(err.Error())})
	}
	return give(abiMatches{0, giveList(matches, giveMatch)})
}

//go:wasmexport cabi_post_find
func afterFind(uint32) { release() }

func giveMatch(match Match) abiMatch {
	groups := giveList(match.Groups, func(group Group) abiGroup {
		return abiGroup{giveOption(group.Name), giveOption(group.Text)}
	})
	return abiMatch{giveString(match.Text), match.Line, match.Column, match.Offset, groups}
}

type abiChange struct {
	oldLine uint32
	removed abiSpan
	newLine uint32
	added   abiSpan
}

//go:wasmexport diff
func exportDiff(oldAddress, oldLength, newAddress, newLength uint32) uint32 {
	oldText := takeString(oldAddress, oldLength)
	newText := takeString(newAddress, newLength)
	return give(giveList(Diff(oldText, newText), func(change Change) abiChange {
		return abiChange{
			change.OldLine, giveList(change.Removed, giveString),
			change.NewLine, giveList(change.Added, giveString),
		}
	}))
}

//go:wasmexport cabi_post_diff
func afterDiff(uint32) { release() }
