package providerhost

import (
	"slices"
	"strings"
)

// maxSuggestions is how many names a person reads.
const maxSuggestions = 3

// Nearest returns the names most like name, the best first: those within a
// third of its length in edits, then those that contain it.
func Nearest(name string, names []string) []string {
	type match struct {
		name  string
		edits int
	}
	name = strings.ToLower(name)
	limit := max(1, len(name)/3)

	var matches []match
	for _, candidate := range names {
		edits := distance(name, strings.ToLower(candidate))
		related := len(name) >= 4 && (strings.Contains(candidate, name) || strings.Contains(name, candidate) && len(candidate) >= 4)
		switch {
		case edits <= limit:
			matches = append(matches, match{candidate, edits})
		case related:
			matches = append(matches, match{candidate, limit + edits})
		}
	}
	slices.SortStableFunc(matches, func(a, b match) int {
		if a.edits != b.edits {
			return a.edits - b.edits
		}
		return strings.Compare(a.name, b.name)
	})

	var best []string
	for _, m := range matches[:min(len(matches), maxSuggestions)] {
		best = append(best, m.name)
	}
	return best
}

// distance counts edits as Levenshtein does, and two neighbours swapped as one:
// people type "clouflare" and "cluodflare".
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
