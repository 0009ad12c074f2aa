package main

import "testing"

func TestCount(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want Counts
	}{
		"nothing":                   {"", Counts{}},
		"one line without an end":   {"one two", Counts{7, 7, 7, 2, 1, 1}},
		"a line end begins no line": {"a\nb\n", Counts{4, 4, 4, 2, 2, 2}},
		"blank lines count":         {"\n\n", Counts{2, 2, 2, 0, 0, 2}},
		"CRLF is one character":     {"a\r\nb", Counts{4, 4, 3, 2, 2, 2}},
		"a family is one character": {"👨‍👩‍👧‍👦!", Counts{26, 8, 2, 0, 1, 1}},
		"accents join their letter": {"e\u0301te\u0301", Counts{7, 5, 3, 1, 1, 1}},
		"sentences and apostrophes": {"It's 3.5 m. Why? No.", Counts{20, 20, 20, 5, 3, 1}},
		"two flags":                 {"🇩🇪🇫🇷", Counts{16, 4, 2, 0, 1, 1}},
	} {
		if got := Count(test.text); got != test.want {
			t.Errorf("%s: Count(%q) = %+v, want %+v", name, test.text, got, test.want)
		}
	}
}
