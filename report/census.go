package report

import (
	"bytes"
	"cmp"
	"strconv"
	"strings"
	"unicode"
)

// Why a block of a test file is not run although its file is.
const (
	skipSkip = "SKIP"
	skipOnly = "ONLY"
	skipLast = "LAST"
)

// maxRepeat is what repeat_each is believed to say.
const maxRepeat = 100_000

// ReadTestFile takes the census of a test file in the format of Test::Base:
// blocks below __DATA__ (or __END__), each from its "===" line to the next.
// A script without such blocks gives none. Titles longer than what an entry
// may hold are cut, and so is their number.
func ReadTestFile(path string, src []byte) TestFile {
	c := census{file: TestFile{Path: path}, ordinals: make(map[string]int)}
	data := false
	n := 0
	for raw := range bytes.Lines(src) {
		n++
		line := bytes.TrimRight(raw, "\r\n")
		switch {
		case !data:
			c.file.Repeat = cmp.Or(c.file.Repeat, repeats(line))
			data = bytes.Equal(line, []byte("__DATA__")) || bytes.Equal(line, []byte("__END__"))
		case bytes.HasPrefix(line, []byte("===")):
			c.closeBlock()
			c.open(line, n)
		case bytes.HasPrefix(line, []byte("--- ")):
			c.section(line, n)
		case len(bytes.TrimSpace(line)) > 0:
			c.last = n
		}
	}
	c.closeBlock()
	c.dropMarked()
	return c.file
}

// repeats is the N of a line "repeat_each(N);", else 0.
func repeats(line []byte) int {
	arg, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("repeat_each("))
	if !ok {
		return 0
	}
	arg, _, _ = bytes.Cut(arg, []byte(")"))
	n, err := strconv.Atoi(string(bytes.TrimSpace(arg)))
	if err != nil || n < 0 || n > maxRepeat {
		return 0
	}
	return n
}

// census is a test file being read.
type census struct {
	file     TestFile
	ordinals map[string]int
	last     int // line that was the last not blank one
	opened   bool
}

func (c *census) open(line []byte, n int) {
	if len(c.file.Blocks) == maxBlocks {
		return
	}
	c.opened, c.last = true, n
	number, title := splitTitle(oneLine(string(bytes.TrimSpace(line[3:])), maxTitle))
	c.ordinals[title]++
	c.file.Blocks = append(c.file.Blocks, Block{
		Number: number, Title: title, Ordinal: c.ordinals[title], Line: n, EndLine: n,
	})
}

func (c *census) section(line []byte, n int) {
	if !c.opened {
		return
	}
	b := &c.file.Blocks[len(c.file.Blocks)-1]
	c.closeSection(b)
	c.last = n
	name := strings.TrimLeft(string(line[4:]), " \t")
	if i := strings.IndexFunc(name, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }); i >= 0 {
		name = name[:i]
	}
	if name == "" || len(name) > maxWord || len(b.Sections) == maxSections {
		return
	}
	b.Sections = append(b.Sections, Section{Name: name, Line: n, EndLine: n})
}

func (c *census) closeSection(b *Block) {
	if len(b.Sections) > 0 {
		s := &b.Sections[len(b.Sections)-1]
		s.EndLine = max(s.Line, c.last)
	}
}

func (c *census) closeBlock() {
	if !c.opened {
		return
	}
	c.opened = false
	b := &c.file.Blocks[len(c.file.Blocks)-1]
	c.closeSection(b)
	b.EndLine = max(b.Line, c.last)
}

// dropMarked applies the marks as Test::Base does: SKIP leaves its block out,
// the first ONLY leaves out all others, LAST all that follow.
func (c *census) dropMarked() {
	blocks := c.file.Blocks
	only := -1
	for i, b := range blocks {
		if b.has(skipSkip) {
			blocks[i].Skip = skipSkip
			continue
		}
		if b.has(skipOnly) && only < 0 {
			only = i
		}
	}
	ended := false
	for i := range blocks {
		switch {
		case blocks[i].Skip != "":
			continue
		case only >= 0 && i != only:
			blocks[i].Skip = skipOnly
		case ended:
			blocks[i].Skip = skipLast
		}
		ended = ended || blocks[i].has(skipLast)
	}
}

func (b Block) has(section string) bool {
	for _, s := range b.Sections {
		if s.Name == section {
			return true
		}
	}
	return false
}

// splitTitle takes "TEST 12: title" apart. Without a number it is 0 and the title is all.
func splitTitle(s string) (int, string) {
	rest, ok := strings.CutPrefix(s, "TEST ")
	if !ok {
		return 0, s
	}
	rest = strings.TrimLeft(rest, " \t")
	digits, title, ok := strings.Cut(rest, ":")
	if !ok {
		return 0, s
	}
	n, err := strconv.Atoi(strings.TrimSpace(digits))
	if err != nil || n < 0 || n > maxLine {
		return 0, s
	}
	return n, strings.TrimLeft(title, " \t")
}

// oneLine makes a valid, printable line of at most n bytes of s.
func oneLine(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' {
			return ' '
		}
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, s)
	return clip(s, n)
}

// clip cuts s to at most n bytes, at the end of a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !isStart(s[n]) {
		n--
	}
	return s[:n]
}

func isStart(b byte) bool { return b&0xC0 != 0x80 }
