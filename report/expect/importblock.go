package expect

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/ortest/ortest/report"
)

// name reads the old name, which was looked for in "TEST n: title - assertion".
func (c *carrier) name() {
	p := c.old.Name
	if p == nil {
		c.broad()
		return
	}
	text, rest := p.literal()
	switch {
	case strings.HasPrefix(text, "nginx: ["):
		c.drop("a line of nginx", "it waives what nginx itself prints, which is a warning here and decides nothing: a block that must die prints it and passes")
		return
	case rePlanned.MatchString(text):
		c.entry.Kind = "plan"
		c.match(Pattern{Text: rePlanned.ReplaceAllString(p.Text, "You planned"), Regex: p.Regex}, "name")
		return
	}
	f := c.split(text)
	if f.Number == 0 && f.Block == "" || rest != "" && f.Name == "" {
		// No block is named, or a regex begins within its title.
		c.broad()
		c.match(*p, "assertion")
		return
	}
	c.entry.Block, c.entry.Number = f.Block, f.Number
	name := strings.TrimSpace(strings.TrimSuffix(f.Name, " -"))
	switch {
	case rest == "" && name == "":
		// The whole block.
	case rest == "":
		c.match(Pattern{Text: name}, "name")
	default:
		c.match(Pattern{Text: regexp.QuoteMeta(f.Name) + rest, Regex: true}, "name")
	}
}

// split takes "TEST 3: title - assertion" apart. A title may itself hold " - ",
// so where the test file is at hand its longest title that fits is taken.
func (c *carrier) split(text string) report.Finding {
	f := report.Finding{}.Named(text)
	_, rest, ok := strings.Cut(text, fmt.Sprintf("TEST %d: ", f.Number))
	if tf, known := c.file(); known && ok && f.Number != 0 && strings.HasPrefix(text, "TEST ") {
		long := ""
		for _, b := range tf.Blocks {
			if strings.HasPrefix(rest+" - ", b.Title+" - ") && len(b.Title) > len(long) {
				long = b.Title
			}
		}
		if long != "" {
			f.Block, f.Name = long, strings.TrimPrefix(strings.TrimPrefix(rest, long), " - ")
		}
	}
	return f
}

// file returns the census of the entry's test file.
func (c *carrier) file() (report.TestFile, bool) {
	if c.in.Source == nil {
		return report.TestFile{}, false
	}
	files, _ := c.in.Source(c.old.Project)
	i := slices.IndexFunc(files, func(f report.TestFile) bool { return f.Path == c.entry.Test })
	if i < 0 {
		return report.TestFile{}, false
	}
	return files[i], true
}

// block holds the entry against the test files at hand.
func (c *carrier) block() {
	if c.in.Source == nil {
		return
	}
	files, ok := c.in.Source(c.old.Project)
	if !ok {
		c.say("not looked up", "no repository of "+c.old.Project+" is at hand: file and title are carried as they are")
		return
	}
	if c.old.File == "" {
		return
	}
	at := slices.IndexFunc(files, func(f report.TestFile) bool { return f.Path == c.entry.Test })
	if at < 0 {
		text := c.entry.Test + " does not exist any more"
		if moved := byName(files, path.Base(c.entry.Test)); len(moved) == 1 {
			text += "; " + moved[0] + " has its name"
		}
		c.drop("dead file", text)
		return
	}
	if c.entry.Block == "" || c.entry.Broad {
		return
	}
	b, cause := Locate(files[at], c.entry.Block, c.entry.Number)
	switch cause {
	case Found:
	case Moved:
		c.say("moved", fmt.Sprintf("its block is TEST %d now, not %d", b.Number, c.entry.Number))
	case Renamed:
		c.say("new title", fmt.Sprintf("its block %q is called %q now", c.entry.Block, b.Title))
	case Similar:
		c.drop("dead title", fmt.Sprintf("%s has no block %q; TEST %d %q is like it", c.entry.Test, c.entry.Block, b.Number, b.Title))
		return
	case Gone:
		c.drop("dead title", fmt.Sprintf("%s has no block %q", c.entry.Test, c.entry.Block))
		return
	}
	if b.Skip == "SKIP" {
		c.drop("never runs", fmt.Sprintf("TEST %d of %s is marked SKIP", b.Number, c.entry.Test))
		return
	}
	c.entry.Block, c.entry.Number = b.Title, b.Number
	if same(files[at], b.Title) > 1 {
		c.entry.Ordinal = b.Ordinal
	}
}

func byName(files []report.TestFile, base string) []string {
	var all []string
	for _, f := range files {
		if path.Base(f.Path) == base {
			all = append(all, f.Path)
		}
	}
	return all
}

func same(f report.TestFile, title string) int {
	n := 0
	for _, b := range f.Blocks {
		if b.Title == title {
			n++
		}
	}
	return n
}
