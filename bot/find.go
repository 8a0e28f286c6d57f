package bot

import (
	"bytes"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"
)

// Prefix starts a command line.
const Prefix = "/ortest"

// shown is a text as Markdown takes it. A NUL that stayed would be cut off, or
// refused, by a database, and the line be new each time that it is looked at.
var shown = strings.NewReplacer("\r\n", "\n", "\x00", "\uFFFD")

// FindCommands returns the command lines of a comment, in order.
//
// A command stands at the start of a line of a top-level paragraph, in letters of
// either case, as telephones write them. What Markdown shows as code, as a
// quotation, as a list or not at all (an HTML comment) is text about commands, not a
// command. A paragraph is also what a line of dashes or equals signs below it makes a
// heading of: whoever writes one after a command means to separate.
func FindCommands(body string) []string {
	src := []byte(shown.Replace(body))
	doc := goldmark.DefaultParser().Parse(text.NewReader(src))
	var found []string
	for n := doc.FirstChild(); n != nil; n = n.NextSibling() {
		if n.Kind() != ast.KindParagraph && !underlined(n, src) {
			continue
		}
		starts := shownStarts(n)
		for i := range n.Lines().Len() {
			seg := n.Lines().At(i)
			line := strings.TrimRight(blanks(string(seg.Value(src))), " ")
			word, _, _ := strings.Cut(line, " ")
			if strings.EqualFold(word, Prefix) && starts[seg.Start] {
				found = append(found, line)
			}
		}
	}
	return found
}

// underlined reports whether a node is a heading by the line below it, and not by
// the mark before it.
func underlined(n ast.Node, src []byte) bool {
	if n.Kind() != ast.KindHeading || n.Lines().Len() == 0 {
		return false
	}
	before := src[:n.Lines().At(0).Start]
	before = before[bytes.LastIndexByte(before, '\n')+1:]
	return len(bytes.TrimLeft(before, " ")) == 0
}

// blanks writes every kind of blank as the one that a shell knows: what is
// copied from a web page holds some that look the same.
func blanks(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Zs, r) {
			return ' '
		}
		return r
	}, s)
}

// shownStarts returns the offsets at which plain text of a paragraph begins; a line
// inside a code span or an HTML comment begins at none of them.
func shownStarts(paragraph ast.Node) map[int]bool {
	starts := make(map[int]bool)
	for n := paragraph.FirstChild(); n != nil; n = n.NextSibling() {
		if t, ok := n.(*ast.Text); ok {
			starts[t.Segment.Start] = true
		}
	}
	return starts
}
