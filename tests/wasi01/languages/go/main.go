// Counts the words of all files of a folder, with what Go's runtime makes the heaviest use of memory
// for: regular expressions, JSON, goroutines, and many mebibytes that are kept.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"sync"
)

type count struct {
	Word  string `json:"word"`
	Times int    `json:"times"`
}

func main() {
	names, err := filepath.Glob("/*.txt")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	word := regexp.MustCompile(`[a-z]+(?:-[a-z]+)*`)
	counts := map[string]int{}
	var lock sync.Mutex
	var all sync.WaitGroup
	for _, name := range names {
		all.Add(1)
		go func() {
			defer all.Done()
			text, err := os.ReadFile(name)
			if err != nil {
				fmt.Println(err)
				return
			}
			for _, found := range word.FindAllString(strings.ToLower(string(text)), -1) {
				lock.Lock()
				counts[found]++
				lock.Unlock()
			}
		}()
	}
	all.Wait()
	kept := make([][]byte, 0, 48)
	for i := range 48 {
		piece := make([]byte, 1<<20)
		for at := range piece {
			piece[at] = byte(i)
		}
		kept = append(kept, piece)
	}
	sum := 0
	for _, piece := range kept {
		sum += int(piece[0]) + int(piece[len(piece)-1])
	}
	list := make([]count, 0, len(counts))
	for found, times := range counts {
		list = append(list, count{found, times})
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Word < list[j].Word })
	text, err := json.Marshal(list)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	if err := os.WriteFile("/counts.json", text, 0o644); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(len(names), sum, string(text))
}
