package main

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestDiff(t *testing.T) {
	for name, test := range map[string]struct {
		oldText, newText string
		want             []Change
	}{
		"both empty":          {"", "", nil},
		"the same":            {"a\nb\n", "a\nb\n", nil},
		"only the last end":   {"a\nb", "a\nb\n", nil},
		"all new":             {"", "a\n", []Change{{1, nil, 1, []string{"a"}}}},
		"all gone":            {"a\n", "", []Change{{1, []string{"a"}, 1, nil}}},
		"a line goes in":      {"a\nc", "a\nb\nc", []Change{{2, nil, 2, []string{"b"}}}},
		"a line goes":         {"a\nb\nc", "a\nc", []Change{{2, []string{"b"}, 2, nil}}},
		"a line is replaced":  {"a\nb\nc", "a\nB\nc", []Change{{2, []string{"b"}, 2, []string{"B"}}}},
		"line ends differ":    {"a\r\nb", "a\nb", []Change{{1, []string{"a\r"}, 1, []string{"a"}}}},
		"places are not lost": {"a\nb\nc\nd", "b\nc\nx\nd\ne", []Change{{1, []string{"a"}, 1, nil}, {4, nil, 3, []string{"x"}}, {5, nil, 5, []string{"e"}}}},
	} {
		if got := Diff(test.oldText, test.newText); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got %+v, want %+v", name, got, test.want)
		}
	}
}

// patched makes the new text's lines of the old one's.
func patched(oldLines []string, changes []Change) []string {
	var lines []string
	at := 0
	for _, change := range changes {
		start := int(change.OldLine) - 1
		lines = append(lines, oldLines[at:start]...)
		lines = append(lines, change.Added...)
		at = start + len(change.Removed)
	}
	return append(lines, oldLines[at:]...)
}

// longestCommon is the length of a longest common subsequence, by the textbook.
func longestCommon(oldLines, newLines []string) int {
	row := make([]int, len(newLines)+1)
	for _, oldLine := range oldLines {
		diagonal := 0
		for i, newLine := range newLines {
			above := row[i+1]
			if oldLine == newLine {
				row[i+1] = diagonal + 1
			} else {
				row[i+1] = max(above, row[i])
			}
			diagonal = above
		}
	}
	return row[len(newLines)]
}

func TestDiffIsCorrectAndSmallestForRandomTexts(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	randomLines := func() []string {
		lines := make([]string, random.IntN(30))
		letters := 1 + random.IntN(6)
		for i := range lines {
			lines[i] = string(rune('a' + random.IntN(letters)))
		}
		return lines
	}
	for range 20_000 {
		oldLines, newLines := randomLines(), randomLines()
		changes := Diff(strings.Join(oldLines, "\n"), strings.Join(newLines, "\n"))
		if got := patched(oldLines, changes); !slices.Equal(got, newLines) {
			t.Fatalf("the changes from %q to %q make %q: %+v", oldLines, newLines, got, changes)
		}
		touched := 0
		for _, change := range changes {
			touched += len(change.Removed) + len(change.Added)
		}
		smallest := len(oldLines) + len(newLines) - 2*longestCommon(oldLines, newLines)
		if touched != smallest {
			t.Fatalf("from %q to %q: %d lines touched, %d would do", oldLines, newLines, touched, smallest)
		}
	}
}

func TestDiffOfLargeTextsIsFast(t *testing.T) {
	var oldText, newText strings.Builder
	for i := range 100_000 {
		line := strings.Repeat("x", i%7)
		oldText.WriteString(line + "\n")
		if i%1000 != 0 {
			newText.WriteString(line + "\n")
		}
	}
	if got := len(Diff(oldText.String(), newText.String())); got != 100 {
		t.Errorf("got %d changes, want 100", got)
	}
}
