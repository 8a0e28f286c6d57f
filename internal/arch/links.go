package arch

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// pictures are what the documents show; a clone of the repository carries them.
const (
	pictures   = "docs/pictures"
	maxPicture = 150_000 // bytes
)

var (
	link    = regexp.MustCompile(`\]\(([^)#:]*)(#[^):]*)?\)`)
	heading = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`)
	fenced  = regexp.MustCompile("(?ms)^```.*?^```$")
)

// documents are the texts at the top and in docs.
func (t Tree) documents() (names []string, bad []Offence) {
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		found, err := fs.Glob(t.FS, pattern)
		if err != nil {
			bad = append(bad, Offence{Path: pattern, Text: err.Error()})
		}
		names = append(names, found...)
	}
	return names, bad
}

// checkLinks follows the relative links of the documents, to a heading too.
func checkLinks(t Tree) []Offence {
	names, out := t.documents()
	for _, name := range names {
		doc, bad := t.text(name)
		out = append(out, bad...)
		for _, m := range link.FindAllStringSubmatch(fenced.ReplaceAllString(doc, ""), -1) {
			out = append(out, t.follow(name, m[1], strings.TrimPrefix(m[2], "#"))...)
		}
	}
	return out
}

// follow looks for what a link of a document leads to.
func (t Tree) follow(name, file, anchor string) []Offence {
	target := name
	if file != "" {
		target = path.Join(path.Dir(name), file)
	}
	if _, err := fs.Stat(t.FS, target); err != nil {
		return []Offence{{Path: name, Text: "leads to " + file + ", which is not there"}}
	}
	if anchor == "" || path.Ext(target) != ".md" {
		return nil
	}
	doc, bad := t.text(target)
	if bad == nil && !slices.Contains(anchors(doc), anchor) {
		bad = append(bad, Offence{Path: name, Text: fmt.Sprintf("leads to #%s of %s, which has no such heading", anchor, target)})
	}
	return bad
}

// anchors are the names that GitHub gives the headings of a document.
func anchors(doc string) (all []string) {
	seen := map[string]int{}
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(doc, ""), -1) {
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, m[1])
		n := seen[name]
		seen[name]++
		if n > 0 {
			name = fmt.Sprintf("%s-%d", name, n)
		}
		all = append(all, name)
	}
	return all
}

// checkPictures looks for pictures that weigh too much or that nobody shows.
func checkPictures(t Tree) []Offence {
	names, out := t.documents()
	var shown []string
	for _, name := range names {
		doc, bad := t.text(name)
		out = append(out, bad...)
		for _, m := range link.FindAllStringSubmatch(doc, -1) {
			shown = append(shown, path.Join(path.Dir(name), m[1]))
		}
	}
	files, err := fs.Glob(t.FS, pictures+"/*")
	if err != nil {
		return append(out, Offence{Path: pictures, Text: err.Error()})
	}
	for _, name := range files {
		info, err := fs.Stat(t.FS, name)
		switch {
		case err != nil:
			out = append(out, Offence{Path: name, Text: err.Error()})
		case info.Size() > maxPicture:
			out = append(out, Offence{Path: name, Text: fmt.Sprintf("has %d bytes, more than %d", info.Size(), maxPicture)})
		case !slices.Contains(shown, name):
			out = append(out, Offence{Path: name, Text: "no document shows it"})
		}
	}
	return out
}

// checkDecisions looks for decisions that their list lacks.
func checkDecisions(t Tree) []Offence {
	names, err := fs.Glob(t.FS, "docs/decisions/0*.md")
	if err != nil {
		return []Offence{{Path: "docs/decisions", Text: err.Error()}}
	}
	if len(names) == 0 {
		return nil
	}
	list, out := t.text("docs/decisions/README.md")
	for _, name := range names {
		if !strings.Contains(list, "]("+path.Base(name)+")") {
			out = append(out, Offence{Path: name, Text: "the list of decisions lacks it"})
		}
	}
	return out
}
