package report

import (
	"strconv"
	"strings"
)

// A name is the text of an assertion or of a header line, taken apart.
type name struct {
	file   string // "" when the name carries none
	number int
	title  string
	what   string // the assertion, such as "response_body - response is expected (req 0)"
}

// splitName takes an assertion's name apart without knowing the test file. A
// title may itself hold " - ", so the assertion is looked for from the right
// among the texts that Test::Nginx writes, and only then at the first " - ".
func splitName(s string) (name, bool) {
	i := strings.Index(s, "TEST ")
	if i < 0 {
		return name{what: s}, false
	}
	n := name{file: pathBefore(s[:i])}
	number, rest := splitTitle(s[i:])
	if number == 0 && rest == s[i:] {
		return name{what: s}, false
	}
	n.number = number
	before := s[:i]
	if n.file != "" {
		before = strings.TrimSuffix(strings.TrimSuffix(before, n.file+" "), "./")
	}
	if before, ok := strings.CutSuffix(before, " - "); ok && before != "" {
		// Two messages come before the name: "ERROR: client socket timed out - NAME".
		n.title, n.what = rest, before
		return n, true
	}
	n.title, n.what = cutAssertion(rest)
	return n, true
}

// pathBefore returns the path of a test file that ends right before "TEST n".
func pathBefore(s string) string {
	s = strings.TrimSuffix(s, " ")
	s = s[strings.LastIndexByte(s, ' ')+1:]
	if strings.HasSuffix(s, ".t") {
		return strings.TrimPrefix(s, "./")
	}
	return ""
}

// assertions are the beginnings of what Test::Nginx, resty-cli and sregex say
// after a block's name; a block's section is named beside those that come from one.
var assertions = []struct{ text, section string }{
	{"status code ok", "error_code"},
	{"raw resp headers ", "raw_response_headers_like"},
	{"header ", "response_headers"},
	{"response_body_unlike", "response_body_unlike"},
	{"response_body_like", "response_body_like"},
	{"response_body", "response_body"},
	{"grep_error_log_out", "grep_error_log_out"},
	{"stap output", "stap_out"},
	{"tcp_query ok", "tcp_query"},
	{"TCP query length ok", "tcp_query_len"},
	{"udp_query ok", "udp_query"},
	{"die as expected", "must_die"},
	{"die with the expected exit code", "must_die"},
	{"failed to execute the nginx command line", "config"},
	{"nginx core dumped", ""},
	{"the nginx process ", ""},
	{"failed to reload configuration", "config"},
	{"Can't connect to ", ""},
	{"invalid chunked ", ""},
	{"invalid trailer ", ""},
	{"no last chunk found", ""},
	{"no response", "request"},
	{"command ", ""},
	{"curl command ", ""},
	{"stdout ", "out"},
	{"stderr ", "err"},
	{"exit code okay", "ret"},
	{"resty process timed out", ""},
	{"match id ok", ""},
	{"output ok", "out"},
	{"err expected", "err"},
	{"timeout when waiting for ", ""},
	{"waiting ", ""},
	{"WARNING: ", ""},
	{"pattern ", "error_log"},
}

// cutAssertion splits "title - assertion" at the rightmost " - " that one of
// the known assertions follows, else at the first " - ". A pattern may quote
// anything, other assertions included, so it is looked for from the left.
func cutAssertion(s string) (title, what string) {
	if i := strings.Index(s, ` - pattern "`); i >= 0 {
		return s[:i], s[i+3:]
	}
	if title, ok := strings.CutSuffix(s, ": resty process timed out"); ok {
		return title, "resty process timed out"
	}
	for end := len(s); ; {
		i := strings.LastIndex(s[:end], " - ")
		if i < 0 {
			break
		}
		for _, a := range assertions {
			if strings.HasPrefix(s[i+3:], a.text) && !strings.HasSuffix(s[:i], "response_body") && !strings.HasSuffix(s[:i], "response_body_like") {
				return s[:i], s[i+3:]
			}
		}
		end = i
	}
	if title, what, ok := strings.Cut(s, " - "); ok {
		return title, what
	}
	return s, ""
}

// section names the section of a block that an assertion checks, or "".
func section(what string) string {
	if strings.HasPrefix(what, `pattern "`) {
		return patternSection(what)
	}
	for _, a := range assertions {
		if strings.HasPrefix(what, a.text) {
			return a.section
		}
	}
	return ""
}

func patternSection(what string) string {
	file := "error_log"
	if strings.Contains(what, " in access.log") {
		file = "access_log"
	}
	if strings.Contains(what, " should not match ") || strings.Contains(what, " does not match ") {
		return "no_" + file
	}
	return file
}

// lines returns the lines of the block to point at for an assertion: its
// section where the block has it, else the block's first line.
func (b Block) lines(what string) (line, end int) {
	want := section(what)
	var like string
	if strings.HasPrefix(what, "header ") {
		like = "response_headers_like"
		if strings.Contains(what, " not present in the raw headers") {
			like = "raw_response_headers_unlike"
		}
	}
	for _, s := range b.Sections {
		if want != "" && (s.Name == want || s.Name == like) {
			return s.Line, s.EndLine
		}
	}
	return b.Line, b.Line
}

// find returns the index of the block that a name belongs to and what the name
// says beyond it, or -1. A title decides between blocks of one number.
func (f TestFile) find(s string) (int, string) {
	for _, start := range f.starts(s) {
		number, rest := splitTitle(s[start:])
		best, what := -1, ""
		for i, b := range f.Blocks {
			if b.Number != number || best >= 0 && len(b.Title) <= len(f.Blocks[best].Title) || !strings.HasPrefix(rest, b.Title) {
				continue
			}
			if after, ok := afterTitle(rest[len(b.Title):]); ok {
				best, what = i, after
			}
		}
		if best >= 0 && what == "" {
			what = strings.TrimSuffix(strings.TrimSuffix(s[:start], f.Path+" "), " - ")
		}
		if best >= 0 {
			return best, what
		}
	}
	return f.untitled(s)
}

// starts returns where in s a block's name may begin: at its head, after the
// file's path, or at a "TEST n" that follows the assertion's text.
func (f TestFile) starts(s string) []int {
	all := []int{0}
	if strings.HasPrefix(s, f.Path+" ") {
		all[0] = len(f.Path) + 1
	}
	for at := all[0] + 1; at < len(s) && len(all) < 4; {
		i := strings.Index(s[at:], " TEST ")
		if i < 0 {
			break
		}
		all = append(all, at+i+1)
		at += i + 1
	}
	return all
}

func afterTitle(s string) (string, bool) {
	if s == "" {
		return "", true
	}
	for _, sep := range []string{" - ", ": ", " "} {
		if rest, ok := strings.CutPrefix(s, sep); ok {
			return rest, true
		}
	}
	return "", false
}

// untitled finds a block by its number alone: a title that holds a line break
// or was cut cannot be compared.
func (f TestFile) untitled(s string) (int, string) {
	n, ok := splitName(s)
	if !ok || n.number == 0 || (n.file != "" && n.file != f.Path) {
		return -1, s
	}
	found := -1
	for i, b := range f.Blocks {
		if b.Number != n.number {
			continue
		}
		if found >= 0 {
			return -1, s
		}
		found = i
	}
	if found < 0 || !strings.HasPrefix(f.Blocks[found].Title, clip(n.title, 8)) && len(f.Blocks[found].Title) < maxTitle {
		return -1, s
	}
	return found, n.what
}

// blockKey tells the blocks of one file apart.
func blockKey(number int, title string) string { return strconv.Itoa(number) + ":" + title }
