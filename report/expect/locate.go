package expect

import (
	"regexp"
	"strings"

	"github.com/ortest/ortest/report"
)

// Place says where a block is that an entry names.
type Place int

// Found is where the entry says; Moved under another number; Renamed under the
// same number with a title that is surely the same one, corrected. Similar is
// only a guess for people, and Gone means that no block can be meant.
const (
	Found Place = iota
	Moved
	Renamed
	Similar
	Gone
)

// Locate finds the block of a test file that a title and a number mean. Number
// 0 is unknown.
func Locate(f report.TestFile, title string, number int) (report.Block, Place) {
	best, near := report.Block{}, Gone
	least := 0
	for _, b := range f.Blocks {
		var place Place
		d := distance(b.Title, title)
		switch numbered := number != 0 && b.Number == number; {
		case b.Title == title && (number == 0 || numbered):
			return b, Found
		case b.Title == title:
			place = Moved
		case numbered && title != "" && strings.HasPrefix(b.Title, title+" "),
			numbered && d*5 <= min(len(title), len(b.Title)) && digits(b.Title) == digits(title):
			place = Renamed
		case d*5 <= min(len(title), len(b.Title)), numbered && d*2 <= min(len(title), len(b.Title)):
			place = Similar
		default:
			continue
		}
		if near == Gone || place < near || place == near && d < least {
			best, near, least = b, place, d
		}
	}
	return best, near
}

// digits returns a title's numbers: a block that differs in one is another block.
func digits(s string) string {
	return strings.Join(reDigits.FindAllString(s, -1), " ")
}

var reDigits = regexp.MustCompile(`-?[0-9]+`)

// distance is Levenshtein's, over bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			before, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, before+cost)
		}
	}
	return row[len(b)]
}
