package main

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// Counts says how much of everything a text has, in the order of the WIT record.
type Counts struct {
	Bytes      uint32
	CodePoints uint32
	Characters uint32
	Words      uint32
	Sentences  uint32
	Lines      uint32
}

// Count counts by the rules of Unicode Standard Annex 29.
func Count(text string) Counts {
	return Counts{
		Bytes:      uint32(len(text)),
		CodePoints: uint32(utf8.RuneCountInString(text)),
		Characters: uint32(uniseg.GraphemeClusterCount(text)),
		Words:      countPieces(text, uniseg.FirstWordInString, isWordRune),
		Sentences:  countPieces(text, uniseg.FirstSentenceInString, isVisible),
		Lines:      uint32(len(splitLines(text))),
	}
}

// countPieces cuts a text into pieces and counts those with at least one rune that makes them
// count: between words there are pieces of blanks and of punctuation.
func countPieces(text string, first func(string, int) (string, string, int), counts func(rune) bool) uint32 {
	number := uint32(0)
	state := -1
	for text != "" {
		var piece string
		piece, text, state = first(text, state)
		if strings.ContainsFunc(piece, counts) {
			number++
		}
	}
	return number
}

func isWordRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsNumber(r)
}

func isVisible(r rune) bool {
	return !unicode.IsSpace(r)
}

// splitLines cuts a text at its line ends. One at the very end does not begin another line. Only LF
// ends a line; the CR of a CRLF stays with the line before it.
func splitLines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}
