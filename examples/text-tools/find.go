package main

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// FindOptions says how a pattern is read, in the bits of the WIT flags.
type FindOptions uint32

const (
	CaseInsensitive FindOptions = 1 << iota
	MultiLine
	DotAll
	Literal
)

// Match is one place where a pattern was found. Line and Column count from 1, Offset from 0;
// Column and Offset are in code points.
type Match struct {
	Text   string
	Line   uint32
	Column uint32
	Offset uint32
	Groups []Group
}

// Group is what one pair of parentheses took out. Name is nil where the pattern gives it none, Text
// where the match did not use it.
type Group struct {
	Name *string
	Text *string
}

// Find gives the matches of a pattern from left to right, or says what is wrong with the pattern.
func Find(text, pattern string, options FindOptions) ([]Match, error) {
	expression, err := compile(pattern, options)
	if err != nil {
		return nil, err
	}
	names := expression.SubexpNames()
	found := expression.FindAllStringSubmatchIndex(text, -1)
	matches := make([]Match, 0, len(found))
	at := position{line: 1, column: 1}
	for _, span := range found {
		at.advance(text, span[0])
		match := Match{Text: text[span[0]:span[1]], Line: at.line, Column: at.column, Offset: at.offset}
		for group := 1; group < len(names); group++ {
			match.Groups = append(match.Groups, groupOf(text, names[group], span[2*group], span[2*group+1]))
		}
		matches = append(matches, match)
	}
	return matches, nil
}

func compile(pattern string, options FindOptions) (*regexp.Regexp, error) {
	if options&Literal != 0 {
		pattern = regexp.QuoteMeta(pattern)
	}
	// Compiled by itself first, so that an error quotes the pattern as its writer knows it.
	if _, err := regexp.Compile(pattern); err != nil {
		var reason *syntax.Error
		if errors.As(err, &reason) {
			return nil, errors.New(reason.Code.String() + ": " + reason.Expr)
		}
		return nil, err
	}
	flags := ""
	for _, flag := range []struct {
		option FindOptions
		letter string
	}{{CaseInsensitive, "i"}, {MultiLine, "m"}, {DotAll, "s"}} {
		if options&flag.option != 0 {
			flags += flag.letter
		}
	}
	if flags != "" {
		pattern = "(?" + flags + ")" + pattern
	}
	return regexp.Compile(pattern)
}

func groupOf(text, name string, start, end int) Group {
	var group Group
	if name != "" {
		group.Name = &name
	}
	if start >= 0 {
		taken := text[start:end]
		group.Text = &taken
	}
	return group
}

// position is a place in a text. It only moves forward, so that all matches together cost one walk
// through the text.
type position struct {
	index  int
	offset uint32
	line   uint32
	column uint32
}

func (p *position) advance(text string, index int) {
	passed := text[p.index:index]
	codePoints := uint32(utf8.RuneCountInString(passed))
	p.index = index
	p.offset += codePoints
	if lines := strings.Count(passed, "\n"); lines > 0 {
		p.line += uint32(lines)
		p.column = 1 + uint32(utf8.RuneCountInString(passed[strings.LastIndexByte(passed, '\n')+1:]))
	} else {
		p.column += codePoints
	}
}
