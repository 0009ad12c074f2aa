package main

import (
	"reflect"
	"strings"
	"testing"
)

func textsOf(t *testing.T, text, pattern string, options FindOptions) []string {
	t.Helper()
	matches, err := Find(text, pattern, options)
	if err != nil {
		t.Fatalf("Find(%q, %q) failed: %v", text, pattern, err)
	}
	var texts []string
	for _, match := range matches {
		texts = append(texts, match.Text)
	}
	return texts
}

func TestFindTellsWhereAMatchIs(t *testing.T) {
	matches, err := Find("é😀x\nüx x", "x", 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []Match{
		{Text: "x", Line: 1, Column: 3, Offset: 2},
		{Text: "x", Line: 2, Column: 2, Offset: 5},
		{Text: "x", Line: 2, Column: 4, Offset: 7},
	}
	if !reflect.DeepEqual(matches, want) {
		t.Errorf("got %+v, want %+v", matches, want)
	}
}

func TestFindGivesGroups(t *testing.T) {
	matches, err := Find("2026-01", `(?P<year>\d+)-(\d+)(x)?`, 0)
	if err != nil {
		t.Fatal(err)
	}
	groups := matches[0].Groups
	if len(groups) != 3 || *groups[0].Name != "year" || *groups[0].Text != "2026" {
		t.Fatalf("got %+v", groups)
	}
	if groups[1].Name != nil || *groups[1].Text != "01" || groups[2].Text != nil {
		t.Errorf("got %+v", groups)
	}
}

func TestFindOptions(t *testing.T) {
	for name, test := range map[string]struct {
		pattern string
		options FindOptions
		want    []string
	}{
		"plain":            {"^b", 0, nil},
		"multi-line":       {"^b", MultiLine, []string{"b"}},
		"case-insensitive": {"A|B", CaseInsensitive, []string{"a", "b"}},
		"dot-all":          {"a.b", DotAll, []string{"a\nb"}},
		"literal":          {".", Literal, []string{"."}},
		"literal and case": {"B.", Literal | CaseInsensitive, []string{"b."}},
		"all at once":      {"^B.", CaseInsensitive | MultiLine | DotAll, []string{"b."}},
	} {
		if got := textsOf(t, "a\nb.", test.pattern, test.options); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func TestFindSaysWhatIsWrongWithAPattern(t *testing.T) {
	_, err := Find("", "(a", CaseInsensitive)
	if err == nil || !strings.Contains(err.Error(), "missing closing ): (a") {
		t.Errorf("got %v", err)
	}
	if strings.Contains(err.Error(), "(?i)") {
		t.Errorf("the error quotes a pattern that nobody wrote: %v", err)
	}
}

func TestFindHasNoSlowPattern(t *testing.T) {
	// A backtracking engine would not end within the age of the universe.
	if got := textsOf(t, strings.Repeat("a", 10_000), "(a*)*b", 0); got != nil {
		t.Errorf("got %q", got)
	}
}
