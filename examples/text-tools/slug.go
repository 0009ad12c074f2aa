package main

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// unaccented spells the Latin letters that Unicode does not take apart into a letter and an accent.
var unaccented = map[rune]string{
	'ß': "ss", 'æ': "ae", 'œ': "oe", 'ø': "o", 'đ': "d", 'ð': "d", 'ħ': "h", 'ı': "i", 'ł': "l",
	'ŋ': "ng", 'þ': "th", 'ŧ': "t",
}

// Slug makes a short name of a text: lower case, words joined by hyphens, Latin letters without
// their accents. Accents of other scripts are kept, since they make other letters there.
func Slug(text string) string {
	var slug strings.Builder
	isAfterLatin := false
	isBetweenWords := false
	for _, r := range norm.NFKD.String(text) {
		r = unicode.ToLower(r)
		switch {
		case unicode.IsMark(r):
			if isAfterLatin || isBetweenWords {
				continue
			}
		case isDropped(r):
			continue
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			isBetweenWords = true
			continue
		default:
			isAfterLatin = unicode.Is(unicode.Latin, r)
		}
		if isBetweenWords && slug.Len() > 0 {
			slug.WriteByte('-')
		}
		isBetweenWords = false
		if spelling, found := unaccented[r]; found {
			slug.WriteString(spelling)
		} else {
			slug.WriteRune(r)
		}
	}
	return norm.NFC.String(slug.String())
}

// isDropped tells what stands within a word and does not part it: apostrophes, soft hyphens,
// joiners.
func isDropped(r rune) bool {
	return r == '\'' || r == '’' || unicode.Is(unicode.Cf, r)
}
