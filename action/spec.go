package action

import (
	"regexp"
	"slices"
	"strings"

	"github.com/ortest/ortest/report"
)

// spec is a file of busted being read: it counts the tests, where the source
// itself says how many there are.
type spec struct {
	tokens []token
	frames []frame
	loop   bool // a for or while whose do is not yet there
	next   frame
	file   report.TestFile
}

// token is a word, a mark or a string of Lua.
type token struct {
	text   string
	line   int
	quoted bool
}

// frame is what an "end" closes.
type frame struct {
	kind  int
	title string
	block int
}

const (
	inOther = iota
	inGroup
	inTest
)

var (
	reLua = regexp.MustCompile(`\n|--\[(=*)\[|--[^\n]*|\[(=*)\[|"(?:[^"\\\n]|\\(?s:.))*"|'(?:[^'\\\n]|\\(?s:.))*'|[A-Za-z_][A-Za-z0-9_]*|\.\.+|[^\s\w]`)

	groups = []string{"describe", "context", "insulate", "expose"}
	tests  = []string{"it", "spec", "test"}
)

// readSpec takes the census of a file of busted. Tests that are made in a loop or
// named by an expression cannot be counted: then the file has none, and only its
// plan says how many ran.
func readSpec(path string, src []byte) report.TestFile {
	s := spec{tokens: lua(string(src)), file: report.TestFile{Path: path}}
	ordinals := map[string]int{}
	for i := range s.tokens {
		if !s.read(i) {
			return report.TestFile{Path: path}
		}
	}
	for i, b := range s.file.Blocks {
		ordinals[b.Title]++
		s.file.Blocks[i].Ordinal = ordinals[b.Title]
	}
	if len(s.frames) > 0 {
		return report.TestFile{Path: path}
	}
	return s.file
}

// lua takes a source apart, without blanks and comments.
func lua(src string) (tokens []token) {
	line := 1
	for src != "" {
		at := reLua.FindStringSubmatchIndex(src)
		if at == nil {
			return tokens
		}
		text := src[at[0]:at[1]]
		src = src[at[1]:]
		switch {
		case text == "\n":
			line++
		case at[2] >= 0 || at[4] >= 0: // a long comment or string
			level := strings.Count(text, "=")
			body, rest, _ := strings.Cut(src, "]"+strings.Repeat("=", level)+"]")
			if at[4] >= 0 {
				tokens = append(tokens, token{text + body, line, false})
			}
			line += strings.Count(body, "\n")
			src = rest
		case strings.HasPrefix(text, "--"):
		case text[0] == '"' || text[0] == '\'':
			tokens = append(tokens, token{text[1 : len(text)-1], line, true})
			line += strings.Count(text, "\n")
		default:
			tokens = append(tokens, token{text, line, false})
		}
	}
	return tokens
}

// read takes one token. It returns false when the tests cannot be counted.
func (s *spec) read(i int) bool {
	t := s.tokens[i]
	if t.quoted {
		return true
	}
	switch t.text {
	case "for", "while":
		s.loop = true
	case "if", "repeat", "function", "do":
		f := frame{}
		if t.text == "function" {
			f, s.next = s.next, f
		}
		s.frames = append(s.frames, f)
		if t.text == "do" {
			s.loop = false
		}
	case "end", "until":
		if len(s.frames) == 0 {
			return false
		}
		f := s.frames[len(s.frames)-1]
		s.frames = s.frames[:len(s.frames)-1]
		if f.kind == inTest {
			s.file.Blocks[f.block].EndLine = t.line
		}
	case "pending":
		return s.call(i, inOther)
	default:
		switch {
		case slices.Contains(groups, t.text):
			return s.call(i, inGroup)
		case slices.Contains(tests, t.text):
			return s.call(i, inTest)
		}
	}
	return true
}

// call reads the begin of a group, a test or of one that is to come.
func (s *spec) call(i, kind int) bool {
	if i > 0 && slices.Contains([]string{".", ":", "local", "function", ","}, s.tokens[i-1].text) || i+3 >= len(s.tokens) || s.tokens[i+1].text != "(" {
		return s.tokens[i].text != "pending" || i+1 >= len(s.tokens) || s.tokens[i+1].text != "(" // a name like another
	}
	name, after := s.tokens[i+2], s.tokens[i+3].text
	plainTitle := name.quoted && !strings.Contains(name.text, `\`) && name.text != ""
	for _, f := range s.frames {
		if f.kind != inGroup {
			return false
		}
	}
	if !plainTitle || s.loop {
		return false
	}
	if kind == inGroup {
		s.next = frame{kind: inGroup, title: name.text}
		return after == "," && i+4 < len(s.tokens) && s.tokens[i+4].text == "function"
	}
	title := ""
	for _, f := range s.frames {
		title += f.title + " "
	}
	b := report.Block{Title: title + name.text, Line: s.tokens[i].line, EndLine: s.tokens[i].line}
	if kind == inOther {
		b.Skip = "SKIP"
	}
	s.file.Blocks = append(s.file.Blocks, b)
	if kind == inOther && after == ")" {
		return true
	}
	s.next = frame{kind: inTest, block: len(s.file.Blocks) - 1}
	return after == "," && i+4 < len(s.tokens) && s.tokens[i+4].text == "function"
}
